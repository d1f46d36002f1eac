#!/bin/sh
# Starts our server in the foreground. Called by bench.py with PORT, BASE, NUSERS.
export MAX_SYNC_PAYLOAD_MEGS=2000
exec "$(dirname "$0")/../serve"
