#!/bin/sh
# The study, command by command; written by xrayaug 0.1.0.
set -e
xrayaug train-gan --data hands64 --arch projected --epochs 46 --conditional --device cpu --seed 5 --out K/gan
xrayaug sample --run K/gan --count 2600 --device cpu --seed 5 --out K/synthetic
xrayaug train-gan --data hands64 --arch projected --epochs 46 --conditional --device cpu --seed 6 --out K/gan-projected-2
xrayaug sample --run K/gan-projected-2 --count 2600 --device cpu --seed 6 --out K/synthetic-projected-2
xrayaug train-gan --data hands64 --arch projected --epochs 46 --conditional --device cpu --seed 7 --out K/gan-projected-3
xrayaug sample --run K/gan-projected-3 --count 2600 --device cpu --seed 7 --out K/synthetic-projected-3
xrayaug train-gan --data hands64 --arch projected --epochs 46 --conditional --device cpu --seed 8 --out K/gan-projected-4
xrayaug sample --run K/gan-projected-4 --count 2600 --device cpu --seed 8 --out K/synthetic-projected-4
xrayaug train-gan --data hands64 --arch projected --epochs 46 --conditional --device cpu --seed 9 --out K/gan-projected-5
xrayaug sample --run K/gan-projected-5 --count 2600 --device cpu --seed 9 --out K/synthetic-projected-5
xrayaug fid K/synthetic hands64 --features imagenet --device cpu --out K/fid-synthetic-rsna
xrayaug fid K/synthetic-projected-2 hands64 --features imagenet --device cpu --out K/fid-synthetic-projected-2-rsna
xrayaug fid K/synthetic-projected-3 hands64 --features imagenet --device cpu --out K/fid-synthetic-projected-3-rsna
xrayaug fid K/synthetic-projected-4 hands64 --features imagenet --device cpu --out K/fid-synthetic-projected-4-rsna
xrayaug fid K/synthetic-projected-5 hands64 --features imagenet --device cpu --out K/fid-synthetic-projected-5-rsna
xrayaug fid hands64 hands128 --features imagenet --device cpu --out K/fid-rsna-mura
xrayaug copies K/synthetic --real hands64 --features imagenet --device cpu --out K/copies
xrayaug copies K/synthetic-projected-2 --real hands64 --features imagenet --device cpu --out K/copies-projected-2
xrayaug copies K/synthetic-projected-3 --real hands64 --features imagenet --device cpu --out K/copies-projected-3
xrayaug copies K/synthetic-projected-4 --real hands64 --features imagenet --device cpu --out K/copies-projected-4
xrayaug copies K/synthetic-projected-5 --real hands64 --features imagenet --device cpu --out K/copies-projected-5
xrayaug augment --real hands128 --synthetic K/synthetic --percent 0 --copies K/copies --seed 5 --out K/arm-0
xrayaug augment --real hands128 --synthetic K/synthetic --percent 100 --copies K/copies --seed 5 --out K/arm-100-both
xrayaug augment --real hands128 --synthetic K/synthetic --percent 100 --control duplicate --copies K/copies --seed 5 --out K/arm-100-both-duplicate
xrayaug augment --real hands128 --synthetic K/synthetic --percent 100 --control low-resolution --copies K/copies --seed 5 --out K/arm-100-both-low-resolution
xrayaug augment --real hands128 --synthetic K/synthetic-projected-2 --percent 100 --copies K/copies-projected-2 --seed 5 --out K/arm-100-both-projected-2
xrayaug augment --real hands128 --synthetic K/synthetic-projected-2 --percent 100 --control duplicate --copies K/copies-projected-2 --seed 5 --out K/arm-100-both-duplicate-projected-2
xrayaug augment --real hands128 --synthetic K/synthetic-projected-2 --percent 100 --control low-resolution --copies K/copies-projected-2 --seed 5 --out K/arm-100-both-low-resolution-projected-2
xrayaug augment --real hands128 --synthetic K/synthetic-projected-3 --percent 100 --copies K/copies-projected-3 --seed 5 --out K/arm-100-both-projected-3
xrayaug augment --real hands128 --synthetic K/synthetic-projected-3 --percent 100 --control duplicate --copies K/copies-projected-3 --seed 5 --out K/arm-100-both-duplicate-projected-3
xrayaug augment --real hands128 --synthetic K/synthetic-projected-3 --percent 100 --control low-resolution --copies K/copies-projected-3 --seed 5 --out K/arm-100-both-low-resolution-projected-3
xrayaug augment --real hands128 --synthetic K/synthetic-projected-4 --percent 100 --copies K/copies-projected-4 --seed 5 --out K/arm-100-both-projected-4
xrayaug augment --real hands128 --synthetic K/synthetic-projected-4 --percent 100 --control duplicate --copies K/copies-projected-4 --seed 5 --out K/arm-100-both-duplicate-projected-4
xrayaug augment --real hands128 --synthetic K/synthetic-projected-4 --percent 100 --control low-resolution --copies K/copies-projected-4 --seed 5 --out K/arm-100-both-low-resolution-projected-4
xrayaug augment --real hands128 --synthetic K/synthetic-projected-5 --percent 100 --copies K/copies-projected-5 --seed 5 --out K/arm-100-both-projected-5
xrayaug augment --real hands128 --synthetic K/synthetic-projected-5 --percent 100 --control duplicate --copies K/copies-projected-5 --seed 5 --out K/arm-100-both-duplicate-projected-5
xrayaug augment --real hands128 --synthetic K/synthetic-projected-5 --percent 100 --control low-resolution --copies K/copies-projected-5 --seed 5 --out K/arm-100-both-low-resolution-projected-5
xrayaug augment --real hands128 --synthetic K/synthetic --percent 300 --copies K/copies --seed 5 --out K/arm-300-both
xrayaug augment --real hands128 --synthetic K/synthetic --percent 300 --control duplicate --copies K/copies --seed 5 --out K/arm-300-both-duplicate
xrayaug augment --real hands128 --synthetic K/synthetic --percent 300 --control low-resolution --copies K/copies --seed 5 --out K/arm-300-both-low-resolution
xrayaug augment --real hands128 --synthetic K/synthetic-projected-2 --percent 300 --copies K/copies-projected-2 --seed 5 --out K/arm-300-both-projected-2
xrayaug augment --real hands128 --synthetic K/synthetic-projected-2 --percent 300 --control duplicate --copies K/copies-projected-2 --seed 5 --out K/arm-300-both-duplicate-projected-2
xrayaug augment --real hands128 --synthetic K/synthetic-projected-2 --percent 300 --control low-resolution --copies K/copies-projected-2 --seed 5 --out K/arm-300-both-low-resolution-projected-2
xrayaug augment --real hands128 --synthetic K/synthetic-projected-3 --percent 300 --copies K/copies-projected-3 --seed 5 --out K/arm-300-both-projected-3
xrayaug augment --real hands128 --synthetic K/synthetic-projected-3 --percent 300 --control duplicate --copies K/copies-projected-3 --seed 5 --out K/arm-300-both-duplicate-projected-3
xrayaug augment --real hands128 --synthetic K/synthetic-projected-3 --percent 300 --control low-resolution --copies K/copies-projected-3 --seed 5 --out K/arm-300-both-low-resolution-projected-3
xrayaug augment --real hands128 --synthetic K/synthetic-projected-4 --percent 300 --copies K/copies-projected-4 --seed 5 --out K/arm-300-both-projected-4
xrayaug augment --real hands128 --synthetic K/synthetic-projected-4 --percent 300 --control duplicate --copies K/copies-projected-4 --seed 5 --out K/arm-300-both-duplicate-projected-4
xrayaug augment --real hands128 --synthetic K/synthetic-projected-4 --percent 300 --control low-resolution --copies K/copies-projected-4 --seed 5 --out K/arm-300-both-low-resolution-projected-4
xrayaug augment --real hands128 --synthetic K/synthetic-projected-5 --percent 300 --copies K/copies-projected-5 --seed 5 --out K/arm-300-both-projected-5
xrayaug augment --real hands128 --synthetic K/synthetic-projected-5 --percent 300 --control duplicate --copies K/copies-projected-5 --seed 5 --out K/arm-300-both-duplicate-projected-5
xrayaug augment --real hands128 --synthetic K/synthetic-projected-5 --percent 300 --control low-resolution --copies K/copies-projected-5 --seed 5 --out K/arm-300-both-low-resolution-projected-5
xrayaug train-classifier --data K/arm-0 --arch efficientnet_lite0 --size 128 --train head --seeds 5 --device cpu --out 'K/classifier-0-seed-{seed}'
xrayaug train-classifier --data K/arm-100-both --arch efficientnet_lite0 --size 128 --train head --device cpu --out K/classifier-100-both-seed-0
xrayaug train-classifier --data K/arm-100-both-duplicate --arch efficientnet_lite0 --size 128 --train head --device cpu --out K/classifier-100-both-duplicate-seed-0
xrayaug train-classifier --data K/arm-100-both-low-resolution --arch efficientnet_lite0 --size 128 --train head --device cpu --out K/classifier-100-both-low-resolution-seed-0
xrayaug train-classifier --data K/arm-100-both-projected-2 --arch efficientnet_lite0 --size 128 --train head --device cpu --seed 1 --out K/classifier-100-both-projected-2-seed-1
xrayaug train-classifier --data K/arm-100-both-duplicate-projected-2 --arch efficientnet_lite0 --size 128 --train head --device cpu --seed 1 --out K/classifier-100-both-duplicate-projected-2-seed-1
xrayaug train-classifier --data K/arm-100-both-low-resolution-projected-2 --arch efficientnet_lite0 --size 128 --train head --device cpu --seed 1 --out K/classifier-100-both-low-resolution-projected-2-seed-1
xrayaug train-classifier --data K/arm-100-both-projected-3 --arch efficientnet_lite0 --size 128 --train head --device cpu --seed 2 --out K/classifier-100-both-projected-3-seed-2
xrayaug train-classifier --data K/arm-100-both-duplicate-projected-3 --arch efficientnet_lite0 --size 128 --train head --device cpu --seed 2 --out K/classifier-100-both-duplicate-projected-3-seed-2
xrayaug train-classifier --data K/arm-100-both-low-resolution-projected-3 --arch efficientnet_lite0 --size 128 --train head --device cpu --seed 2 --out K/classifier-100-both-low-resolution-projected-3-seed-2
xrayaug train-classifier --data K/arm-100-both-projected-4 --arch efficientnet_lite0 --size 128 --train head --device cpu --seed 3 --out K/classifier-100-both-projected-4-seed-3
xrayaug train-classifier --data K/arm-100-both-duplicate-projected-4 --arch efficientnet_lite0 --size 128 --train head --device cpu --seed 3 --out K/classifier-100-both-duplicate-projected-4-seed-3
xrayaug train-classifier --data K/arm-100-both-low-resolution-projected-4 --arch efficientnet_lite0 --size 128 --train head --device cpu --seed 3 --out K/classifier-100-both-low-resolution-projected-4-seed-3
xrayaug train-classifier --data K/arm-100-both-projected-5 --arch efficientnet_lite0 --size 128 --train head --device cpu --seed 4 --out K/classifier-100-both-projected-5-seed-4
xrayaug train-classifier --data K/arm-100-both-duplicate-projected-5 --arch efficientnet_lite0 --size 128 --train head --device cpu --seed 4 --out K/classifier-100-both-duplicate-projected-5-seed-4
xrayaug train-classifier --data K/arm-100-both-low-resolution-projected-5 --arch efficientnet_lite0 --size 128 --train head --device cpu --seed 4 --out K/classifier-100-both-low-resolution-projected-5-seed-4
xrayaug train-classifier --data K/arm-300-both --arch efficientnet_lite0 --size 128 --train head --device cpu --out K/classifier-300-both-seed-0
xrayaug train-classifier --data K/arm-300-both-duplicate --arch efficientnet_lite0 --size 128 --train head --device cpu --out K/classifier-300-both-duplicate-seed-0
xrayaug train-classifier --data K/arm-300-both-low-resolution --arch efficientnet_lite0 --size 128 --train head --device cpu --out K/classifier-300-both-low-resolution-seed-0
xrayaug train-classifier --data K/arm-300-both-projected-2 --arch efficientnet_lite0 --size 128 --train head --device cpu --seed 1 --out K/classifier-300-both-projected-2-seed-1
xrayaug train-classifier --data K/arm-300-both-duplicate-projected-2 --arch efficientnet_lite0 --size 128 --train head --device cpu --seed 1 --out K/classifier-300-both-duplicate-projected-2-seed-1
xrayaug train-classifier --data K/arm-300-both-low-resolution-projected-2 --arch efficientnet_lite0 --size 128 --train head --device cpu --seed 1 --out K/classifier-300-both-low-resolution-projected-2-seed-1
xrayaug train-classifier --data K/arm-300-both-projected-3 --arch efficientnet_lite0 --size 128 --train head --device cpu --seed 2 --out K/classifier-300-both-projected-3-seed-2
xrayaug train-classifier --data K/arm-300-both-duplicate-projected-3 --arch efficientnet_lite0 --size 128 --train head --device cpu --seed 2 --out K/classifier-300-both-duplicate-projected-3-seed-2
xrayaug train-classifier --data K/arm-300-both-low-resolution-projected-3 --arch efficientnet_lite0 --size 128 --train head --device cpu --seed 2 --out K/classifier-300-both-low-resolution-projected-3-seed-2
xrayaug train-classifier --data K/arm-300-both-projected-4 --arch efficientnet_lite0 --size 128 --train head --device cpu --seed 3 --out K/classifier-300-both-projected-4-seed-3
xrayaug train-classifier --data K/arm-300-both-duplicate-projected-4 --arch efficientnet_lite0 --size 128 --train head --device cpu --seed 3 --out K/classifier-300-both-duplicate-projected-4-seed-3
xrayaug train-classifier --data K/arm-300-both-low-resolution-projected-4 --arch efficientnet_lite0 --size 128 --train head --device cpu --seed 3 --out K/classifier-300-both-low-resolution-projected-4-seed-3
xrayaug train-classifier --data K/arm-300-both-projected-5 --arch efficientnet_lite0 --size 128 --train head --device cpu --seed 4 --out K/classifier-300-both-projected-5-seed-4
xrayaug train-classifier --data K/arm-300-both-duplicate-projected-5 --arch efficientnet_lite0 --size 128 --train head --device cpu --seed 4 --out K/classifier-300-both-duplicate-projected-5-seed-4
xrayaug train-classifier --data K/arm-300-both-low-resolution-projected-5 --arch efficientnet_lite0 --size 128 --train head --device cpu --seed 4 --out K/classifier-300-both-low-resolution-projected-5-seed-4
xrayaug evaluate K/classifier-0-seed-0 K/classifier-0-seed-1 K/classifier-0-seed-2 K/classifier-0-seed-3 K/classifier-0-seed-4 K/classifier-100-both-seed-0 K/classifier-100-both-duplicate-seed-0 K/classifier-100-both-low-resolution-seed-0 K/classifier-100-both-projected-2-seed-1 K/classifier-100-both-duplicate-projected-2-seed-1 K/classifier-100-both-low-resolution-projected-2-seed-1 K/classifier-100-both-projected-3-seed-2 K/classifier-100-both-duplicate-projected-3-seed-2 K/classifier-100-both-low-resolution-projected-3-seed-2 K/classifier-100-both-projected-4-seed-3 K/classifier-100-both-duplicate-projected-4-seed-3 K/classifier-100-both-low-resolution-projected-4-seed-3 K/classifier-100-both-projected-5-seed-4 K/classifier-100-both-duplicate-projected-5-seed-4 K/classifier-100-both-low-resolution-projected-5-seed-4 K/classifier-300-both-seed-0 K/classifier-300-both-duplicate-seed-0 K/classifier-300-both-low-resolution-seed-0 K/classifier-300-both-projected-2-seed-1 K/classifier-300-both-duplicate-projected-2-seed-1 K/classifier-300-both-low-resolution-projected-2-seed-1 K/classifier-300-both-projected-3-seed-2 K/classifier-300-both-duplicate-projected-3-seed-2 K/classifier-300-both-low-resolution-projected-3-seed-2 K/classifier-300-both-projected-4-seed-3 K/classifier-300-both-duplicate-projected-4-seed-3 K/classifier-300-both-low-resolution-projected-4-seed-3 K/classifier-300-both-projected-5-seed-4 K/classifier-300-both-duplicate-projected-5-seed-4 K/classifier-300-both-low-resolution-projected-5-seed-4 --fid K/fid-synthetic-rsna,K/fid-synthetic-projected-2-rsna,K/fid-synthetic-projected-3-rsna,K/fid-synthetic-projected-4-rsna,K/fid-synthetic-projected-5-rsna,K/fid-rsna-mura --against control --device cpu --overwrite --out K/evaluation
