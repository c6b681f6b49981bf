#!/bin/sh
# The linker driver, run with the C library that the unpacked LLVM was built for. The driver finds
# LLVM itself through LD_LIBRARY_PATH.
here=${0%/*}
libraries=$here/../llvm/root/usr/lib/x86_64-linux-gnu
LD_LIBRARY_PATH=$libraries
export LD_LIBRARY_PATH
exec "$libraries/ld-linux-x86-64.so.2" --library-path "$libraries" "$here/sbf-ld" "$@"
