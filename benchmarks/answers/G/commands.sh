#!/bin/sh
# The study, command by command; the GANs are train-gan --arch dcgan --only-label normal --batch-size 32 --epochs 150 and
# --only-label abnormal --epochs 75, both with --seed 5. E/ is study E.
set -e
for label in normal abnormal; do
  xrayaug sample --run G/$label-5 --count 400 --seed 5 --device cpu --out G/$label
  xrayaug copies G/$label --real hands64 --features imagenet --device cpu --out G/copies-$label
  xrayaug fid G/$label hands64 --features imagenet --device cpu --out G/fid-$label || true
done
for k in 0 1 2 3 4; do
  xrayaug augment --real hands64 --synthetic G/normal,G/abnormal --percent 6000 --copies G/copies-normal,G/copies-abnormal --real-fraction 0.05 --seed $((5 + k)) --out G/arm-$k
  xrayaug train-classifier --data G/arm-$k --arch efficientnet_lite0 --size 128 --train head --device cpu --seed $k --out G/classifier-$k
done
xrayaug evaluate E/classifier-0-real-0.05-* E/classifier-6000-both-*real-0.05-* G/classifier-? --against both --device cpu --out G/evaluation
