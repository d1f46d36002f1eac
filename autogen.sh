#!/bin/sh
# Makes ./configure from configure.ac. Needed after a clone, and after a change of configure.ac or a local.mk.
set -e
cd "$(dirname "$0")"
exec autoreconf --install --warnings=all
