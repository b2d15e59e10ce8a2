#!/bin/sh
# What the tests need beside npm packages, on Debian as root installed here; elsewhere the tests that need it say that
# they could not run.
#   strace     injects the faults of the commit tests
#   chromium   runs ONNX models in a browser; its SwiftShader is the GPU of all WebGPU tests
#   libvulkan1 lets onnxruntime and Dawn find that SwiftShader
#   zsh        completes what is typed
#   script     of bsdutils, which Debian always has, runs the program in a terminal
#   mesa-vulkan-drivers has lavapipe, the GPU of Deno: several times faster (for the others it lacks what they ask for)
set -eu
missing=
command -v strace >/dev/null || missing="$missing strace"
command -v zsh >/dev/null || missing="$missing zsh"
command -v script >/dev/null || missing="$missing bsdutils"
{ [ -n "${CHROMIUM_PATH:-}" ] || command -v chromium >/dev/null; } || missing="$missing chromium"
ls /usr/lib/*/libvulkan.so.1 >/dev/null 2>&1 || missing="$missing libvulkan1"
ls /usr/share/vulkan/icd.d/lvp_icd.*.json >/dev/null 2>&1 || missing="$missing mesa-vulkan-drivers"
[ -z "$missing" ] && exit 0

if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  # What apt says is of interest only where it fails. $missing is words. chromium does without what it recommends, its
  # sandbox among that, which the tests switch off.
  export DEBIAN_FRONTEND=noninteractive
  said=$(apt-get update -qq 2>&1 && apt-get install -y -qq --no-install-recommends $missing 2>&1) || {
    echo "$said" >&2
    exit 1
  }
else
  for package in $missing; do
    case $package in
      strace) lost='fault-injection tests' ;;
      zsh) lost='test of completion in zsh' ;;
      bsdutils) lost='tests in a terminal' ;;
      chromium) lost='tests in a browser and tests with WebGPU' ;;
      libvulkan1) lost='tests of onnxruntime and Dawn with WebGPU' ;;
      mesa-vulkan-drivers) lost='tests in Deno' ;;
    esac
    echo "$package is not installed: the $lost cannot run; 'apt-get install $package' lets them" >&2
  done
fi
