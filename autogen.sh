#!/bin/sh
# Makes ./configure from configure.ac. Needed after a clone, and after a change of configure.ac or a local.mk.
set -e
cd "$(dirname "$0")"
autoreconf --install --warnings=all
# Each check of configure removes a core dump, and would complain that core/ is a folder.
sed -i 's/rm -f core /rm -f /' configure
