#!/bin/sh
# What the tests need beside npm packages: strace, which injects the faults of the commit tests. On Debian as root it
# is installed here; elsewhere the tests that need it say that they could not run.
set -eu
command -v strace >/dev/null && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  apt-get update -qq >/dev/null
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends strace >/dev/null
else
  echo "strace is not installed: the fault-injection tests cannot run; 'apt-get install strace' lets them" >&2
fi
