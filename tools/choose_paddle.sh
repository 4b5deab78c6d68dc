#!/bin/sh
# Prints the Paddle build for this machine, cpu or gpu; the reason goes to stderr.
set -f  # nvidia-smi prints [N/A] for an unknown value, which is no file pattern

covered="6.1 7.0 7.5 8.0 8.6"  # compute capabilities that paddlepaddle-gpu 2.6.2 has code for

answer() {
    echo "choose_paddle: $1: $2" >&2
    echo "$1"
    exit 0
}

command -v nvidia-smi >/dev/null 2>&1 || answer cpu "there is no nvidia-smi"
caps=$(nvidia-smi --query-gpu=compute_cap --format=csv,noheader 2>/dev/null) ||
    answer cpu "nvidia-smi cannot tell the compute capability"
[ -n "$caps" ] || answer cpu "nvidia-smi lists no GPU"

for cap in $caps; do
    case " $covered " in
        *" $cap "*) ;;
        *) answer cpu "a GPU has capability $cap; paddlepaddle-gpu 2.6.2 covers $covered" ;;
    esac
done
answer gpu "paddlepaddle-gpu 2.6.2 covers every GPU here ($(echo $caps))"
