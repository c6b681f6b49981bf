#!/bin/sh
# rustc and cargo as unpacked from Debian's packages, with the libraries they were built for. This
# file stands in for both, by its name, in the folder `bin` beside the unpacked `root`.
root=${0%/*}/../root
LD_LIBRARY_PATH="$root/usr/lib/x86_64-linux-gnu:$root/lib/x86_64-linux-gnu" \
    exec "$root/usr/bin/${0##*/}" "$@"
