# See the top of Makefile.am.
