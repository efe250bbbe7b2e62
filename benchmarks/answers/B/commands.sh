#!/bin/sh
# The study, command by command; written by xrayaug 0.1.0.
set -e
xrayaug train-gan --data hands64 --arch projected --epochs 46 --conditional --precision bf16 --device cpu --out B/gan
xrayaug sample --run B/gan --count 2600 --device cpu --out B/synthetic
xrayaug train-gan --data hands64 --arch projected --epochs 46 --conditional --precision bf16 --device cpu --seed 1 --out B/gan-projected-2
xrayaug sample --run B/gan-projected-2 --count 2600 --device cpu --seed 1 --out B/synthetic-projected-2
xrayaug train-gan --data hands64 --arch projected --epochs 46 --conditional --precision bf16 --device cpu --seed 2 --out B/gan-projected-3
xrayaug sample --run B/gan-projected-3 --count 2600 --device cpu --seed 2 --out B/synthetic-projected-3
xrayaug train-gan --data hands64 --arch projected --epochs 46 --conditional --precision bf16 --device cpu --seed 3 --out B/gan-projected-4
xrayaug sample --run B/gan-projected-4 --count 2600 --device cpu --seed 3 --out B/synthetic-projected-4
xrayaug train-gan --data hands64 --arch projected --epochs 46 --conditional --precision bf16 --device cpu --seed 4 --out B/gan-projected-5
xrayaug sample --run B/gan-projected-5 --count 2600 --device cpu --seed 4 --out B/synthetic-projected-5
xrayaug fid B/synthetic hands64 --features imagenet --device cpu --out B/fid-synthetic-rsna
xrayaug fid B/synthetic-projected-2 hands64 --features imagenet --device cpu --out B/fid-synthetic-projected-2-rsna
xrayaug fid B/synthetic-projected-3 hands64 --features imagenet --device cpu --out B/fid-synthetic-projected-3-rsna
xrayaug fid B/synthetic-projected-4 hands64 --features imagenet --device cpu --out B/fid-synthetic-projected-4-rsna
xrayaug fid B/synthetic-projected-5 hands64 --features imagenet --device cpu --out B/fid-synthetic-projected-5-rsna
xrayaug copies B/synthetic --real hands64 --features imagenet --device cpu --out B/copies
xrayaug copies B/synthetic-projected-2 --real hands64 --features imagenet --device cpu --out B/copies-projected-2
xrayaug copies B/synthetic-projected-3 --real hands64 --features imagenet --device cpu --out B/copies-projected-3
xrayaug copies B/synthetic-projected-4 --real hands64 --features imagenet --device cpu --out B/copies-projected-4
xrayaug copies B/synthetic-projected-5 --real hands64 --features imagenet --device cpu --out B/copies-projected-5
xrayaug privacy B/synthetic --real hands64 --features imagenet --device cpu --out B/privacy
xrayaug privacy B/synthetic-projected-2 --real hands64 --features imagenet --device cpu --out B/privacy-projected-2
xrayaug privacy B/synthetic-projected-3 --real hands64 --features imagenet --device cpu --out B/privacy-projected-3
xrayaug privacy B/synthetic-projected-4 --real hands64 --features imagenet --device cpu --out B/privacy-projected-4
xrayaug privacy B/synthetic-projected-5 --real hands64 --features imagenet --device cpu --out B/privacy-projected-5
xrayaug augment --real hands64 --synthetic B/synthetic --percent 0 --copies B/copies --out B/arm-0
xrayaug augment --real hands64 --synthetic B/synthetic --percent 25 --copies B/copies --out B/arm-25-both
xrayaug augment --real hands64 --synthetic B/synthetic --percent 25 --control duplicate --copies B/copies --out B/arm-25-both-duplicate
xrayaug augment --real hands64 --synthetic B/synthetic --percent 25 --control classical --copies B/copies --out B/arm-25-both-classical
xrayaug augment --real hands64 --synthetic B/synthetic-projected-2 --percent 25 --copies B/copies-projected-2 --out B/arm-25-both-projected-2
xrayaug augment --real hands64 --synthetic B/synthetic-projected-2 --percent 25 --control duplicate --copies B/copies-projected-2 --out B/arm-25-both-duplicate-projected-2
xrayaug augment --real hands64 --synthetic B/synthetic-projected-2 --percent 25 --control classical --copies B/copies-projected-2 --out B/arm-25-both-classical-projected-2
xrayaug augment --real hands64 --synthetic B/synthetic-projected-3 --percent 25 --copies B/copies-projected-3 --out B/arm-25-both-projected-3
xrayaug augment --real hands64 --synthetic B/synthetic-projected-3 --percent 25 --control duplicate --copies B/copies-projected-3 --out B/arm-25-both-duplicate-projected-3
xrayaug augment --real hands64 --synthetic B/synthetic-projected-3 --percent 25 --control classical --copies B/copies-projected-3 --out B/arm-25-both-classical-projected-3
xrayaug augment --real hands64 --synthetic B/synthetic-projected-4 --percent 25 --copies B/copies-projected-4 --out B/arm-25-both-projected-4
xrayaug augment --real hands64 --synthetic B/synthetic-projected-4 --percent 25 --control duplicate --copies B/copies-projected-4 --out B/arm-25-both-duplicate-projected-4
xrayaug augment --real hands64 --synthetic B/synthetic-projected-4 --percent 25 --control classical --copies B/copies-projected-4 --out B/arm-25-both-classical-projected-4
xrayaug augment --real hands64 --synthetic B/synthetic-projected-5 --percent 25 --copies B/copies-projected-5 --out B/arm-25-both-projected-5
xrayaug augment --real hands64 --synthetic B/synthetic-projected-5 --percent 25 --control duplicate --copies B/copies-projected-5 --out B/arm-25-both-duplicate-projected-5
xrayaug augment --real hands64 --synthetic B/synthetic-projected-5 --percent 25 --control classical --copies B/copies-projected-5 --out B/arm-25-both-classical-projected-5
xrayaug augment --real hands64 --synthetic B/synthetic --percent 50 --copies B/copies --out B/arm-50-both
xrayaug augment --real hands64 --synthetic B/synthetic --percent 50 --control duplicate --copies B/copies --out B/arm-50-both-duplicate
xrayaug augment --real hands64 --synthetic B/synthetic --percent 50 --control classical --copies B/copies --out B/arm-50-both-classical
xrayaug augment --real hands64 --synthetic B/synthetic-projected-2 --percent 50 --copies B/copies-projected-2 --out B/arm-50-both-projected-2
xrayaug augment --real hands64 --synthetic B/synthetic-projected-2 --percent 50 --control duplicate --copies B/copies-projected-2 --out B/arm-50-both-duplicate-projected-2
xrayaug augment --real hands64 --synthetic B/synthetic-projected-2 --percent 50 --control classical --copies B/copies-projected-2 --out B/arm-50-both-classical-projected-2
xrayaug augment --real hands64 --synthetic B/synthetic-projected-3 --percent 50 --copies B/copies-projected-3 --out B/arm-50-both-projected-3
xrayaug augment --real hands64 --synthetic B/synthetic-projected-3 --percent 50 --control duplicate --copies B/copies-projected-3 --out B/arm-50-both-duplicate-projected-3
xrayaug augment --real hands64 --synthetic B/synthetic-projected-3 --percent 50 --control classical --copies B/copies-projected-3 --out B/arm-50-both-classical-projected-3
xrayaug augment --real hands64 --synthetic B/synthetic-projected-4 --percent 50 --copies B/copies-projected-4 --out B/arm-50-both-projected-4
xrayaug augment --real hands64 --synthetic B/synthetic-projected-4 --percent 50 --control duplicate --copies B/copies-projected-4 --out B/arm-50-both-duplicate-projected-4
xrayaug augment --real hands64 --synthetic B/synthetic-projected-4 --percent 50 --control classical --copies B/copies-projected-4 --out B/arm-50-both-classical-projected-4
xrayaug augment --real hands64 --synthetic B/synthetic-projected-5 --percent 50 --copies B/copies-projected-5 --out B/arm-50-both-projected-5
xrayaug augment --real hands64 --synthetic B/synthetic-projected-5 --percent 50 --control duplicate --copies B/copies-projected-5 --out B/arm-50-both-duplicate-projected-5
xrayaug augment --real hands64 --synthetic B/synthetic-projected-5 --percent 50 --control classical --copies B/copies-projected-5 --out B/arm-50-both-classical-projected-5
xrayaug augment --real hands64 --synthetic B/synthetic --percent 100 --copies B/copies --out B/arm-100-both
xrayaug augment --real hands64 --synthetic B/synthetic --percent 100 --control duplicate --copies B/copies --out B/arm-100-both-duplicate
xrayaug augment --real hands64 --synthetic B/synthetic --percent 100 --control classical --copies B/copies --out B/arm-100-both-classical
xrayaug augment --real hands64 --synthetic B/synthetic-projected-2 --percent 100 --copies B/copies-projected-2 --out B/arm-100-both-projected-2
xrayaug augment --real hands64 --synthetic B/synthetic-projected-2 --percent 100 --control duplicate --copies B/copies-projected-2 --out B/arm-100-both-duplicate-projected-2
xrayaug augment --real hands64 --synthetic B/synthetic-projected-2 --percent 100 --control classical --copies B/copies-projected-2 --out B/arm-100-both-classical-projected-2
xrayaug augment --real hands64 --synthetic B/synthetic-projected-3 --percent 100 --copies B/copies-projected-3 --out B/arm-100-both-projected-3
xrayaug augment --real hands64 --synthetic B/synthetic-projected-3 --percent 100 --control duplicate --copies B/copies-projected-3 --out B/arm-100-both-duplicate-projected-3
xrayaug augment --real hands64 --synthetic B/synthetic-projected-3 --percent 100 --control classical --copies B/copies-projected-3 --out B/arm-100-both-classical-projected-3
xrayaug augment --real hands64 --synthetic B/synthetic-projected-4 --percent 100 --copies B/copies-projected-4 --out B/arm-100-both-projected-4
xrayaug augment --real hands64 --synthetic B/synthetic-projected-4 --percent 100 --control duplicate --copies B/copies-projected-4 --out B/arm-100-both-duplicate-projected-4
xrayaug augment --real hands64 --synthetic B/synthetic-projected-4 --percent 100 --control classical --copies B/copies-projected-4 --out B/arm-100-both-classical-projected-4
xrayaug augment --real hands64 --synthetic B/synthetic-projected-5 --percent 100 --copies B/copies-projected-5 --out B/arm-100-both-projected-5
xrayaug augment --real hands64 --synthetic B/synthetic-projected-5 --percent 100 --control duplicate --copies B/copies-projected-5 --out B/arm-100-both-duplicate-projected-5
xrayaug augment --real hands64 --synthetic B/synthetic-projected-5 --percent 100 --control classical --copies B/copies-projected-5 --out B/arm-100-both-classical-projected-5
xrayaug augment --real hands64 --synthetic B/synthetic --percent 300 --copies B/copies --out B/arm-300-both
xrayaug augment --real hands64 --synthetic B/synthetic --percent 300 --control duplicate --copies B/copies --out B/arm-300-both-duplicate
xrayaug augment --real hands64 --synthetic B/synthetic --percent 300 --control classical --copies B/copies --out B/arm-300-both-classical
xrayaug augment --real hands64 --synthetic B/synthetic-projected-2 --percent 300 --copies B/copies-projected-2 --out B/arm-300-both-projected-2
xrayaug augment --real hands64 --synthetic B/synthetic-projected-2 --percent 300 --control duplicate --copies B/copies-projected-2 --out B/arm-300-both-duplicate-projected-2
xrayaug augment --real hands64 --synthetic B/synthetic-projected-2 --percent 300 --control classical --copies B/copies-projected-2 --out B/arm-300-both-classical-projected-2
xrayaug augment --real hands64 --synthetic B/synthetic-projected-3 --percent 300 --copies B/copies-projected-3 --out B/arm-300-both-projected-3
xrayaug augment --real hands64 --synthetic B/synthetic-projected-3 --percent 300 --control duplicate --copies B/copies-projected-3 --out B/arm-300-both-duplicate-projected-3
xrayaug augment --real hands64 --synthetic B/synthetic-projected-3 --percent 300 --control classical --copies B/copies-projected-3 --out B/arm-300-both-classical-projected-3
xrayaug augment --real hands64 --synthetic B/synthetic-projected-4 --percent 300 --copies B/copies-projected-4 --out B/arm-300-both-projected-4
xrayaug augment --real hands64 --synthetic B/synthetic-projected-4 --percent 300 --control duplicate --copies B/copies-projected-4 --out B/arm-300-both-duplicate-projected-4
xrayaug augment --real hands64 --synthetic B/synthetic-projected-4 --percent 300 --control classical --copies B/copies-projected-4 --out B/arm-300-both-classical-projected-4
xrayaug augment --real hands64 --synthetic B/synthetic-projected-5 --percent 300 --copies B/copies-projected-5 --out B/arm-300-both-projected-5
xrayaug augment --real hands64 --synthetic B/synthetic-projected-5 --percent 300 --control duplicate --copies B/copies-projected-5 --out B/arm-300-both-duplicate-projected-5
xrayaug augment --real hands64 --synthetic B/synthetic-projected-5 --percent 300 --control classical --copies B/copies-projected-5 --out B/arm-300-both-classical-projected-5
xrayaug train-classifier --data B/arm-0 --arch efficientnet_lite0 --size 128 --train head --seeds 5 --precision bf16 --device cpu --out 'B/classifier-0-seed-{seed}'
xrayaug train-classifier --data B/arm-25-both --arch efficientnet_lite0 --size 128 --train head --precision bf16 --device cpu --out B/classifier-25-both-seed-0
xrayaug train-classifier --data B/arm-25-both-duplicate --arch efficientnet_lite0 --size 128 --train head --precision bf16 --device cpu --out B/classifier-25-both-duplicate-seed-0
xrayaug train-classifier --data B/arm-25-both-classical --arch efficientnet_lite0 --size 128 --train head --precision bf16 --device cpu --out B/classifier-25-both-classical-seed-0
xrayaug train-classifier --data B/arm-25-both-projected-2 --arch efficientnet_lite0 --size 128 --train head --precision bf16 --device cpu --seed 1 --out B/classifier-25-both-projected-2-seed-1
xrayaug train-classifier --data B/arm-25-both-duplicate-projected-2 --arch efficientnet_lite0 --size 128 --train head --precision bf16 --device cpu --seed 1 --out B/classifier-25-both-duplicate-projected-2-seed-1
xrayaug train-classifier --data B/arm-25-both-classical-projected-2 --arch efficientnet_lite0 --size 128 --train head --precision bf16 --device cpu --seed 1 --out B/classifier-25-both-classical-projected-2-seed-1
xrayaug train-classifier --data B/arm-25-both-projected-3 --arch efficientnet_lite0 --size 128 --train head --precision bf16 --device cpu --seed 2 --out B/classifier-25-both-projected-3-seed-2
xrayaug train-classifier --data B/arm-25-both-duplicate-projected-3 --arch efficientnet_lite0 --size 128 --train head --precision bf16 --device cpu --seed 2 --out B/classifier-25-both-duplicate-projected-3-seed-2
xrayaug train-classifier --data B/arm-25-both-classical-projected-3 --arch efficientnet_lite0 --size 128 --train head --precision bf16 --device cpu --seed 2 --out B/classifier-25-both-classical-projected-3-seed-2
xrayaug train-classifier --data B/arm-25-both-projected-4 --arch efficientnet_lite0 --size 128 --train head --precision bf16 --device cpu --seed 3 --out B/classifier-25-both-projected-4-seed-3
xrayaug train-classifier --data B/arm-25-both-duplicate-projected-4 --arch efficientnet_lite0 --size 128 --train head --precision bf16 --device cpu --seed 3 --out B/classifier-25-both-duplicate-projected-4-seed-3
xrayaug train-classifier --data B/arm-25-both-classical-projected-4 --arch efficientnet_lite0 --size 128 --train head --precision bf16 --device cpu --seed 3 --out B/classifier-25-both-classical-projected-4-seed-3
xrayaug train-classifier --data B/arm-25-both-projected-5 --arch efficientnet_lite0 --size 128 --train head --precision bf16 --device cpu --seed 4 --out B/classifier-25-both-projected-5-seed-4
xrayaug train-classifier --data B/arm-25-both-duplicate-projected-5 --arch efficientnet_lite0 --size 128 --train head --precision bf16 --device cpu --seed 4 --out B/classifier-25-both-duplicate-projected-5-seed-4
xrayaug train-classifier --data B/arm-25-both-classical-projected-5 --arch efficientnet_lite0 --size 128 --train head --precision bf16 --device cpu --seed 4 --out B/classifier-25-both-classical-projected-5-seed-4
xrayaug train-classifier --data B/arm-50-both --arch efficientnet_lite0 --size 128 --train head --precision bf16 --device cpu --out B/classifier-50-both-seed-0
xrayaug train-classifier --data B/arm-50-both-duplicate --arch efficientnet_lite0 --size 128 --train head --precision bf16 --device cpu --out B/classifier-50-both-duplicate-seed-0
xrayaug train-classifier --data B/arm-50-both-classical --arch efficientnet_lite0 --size 128 --train head --precision bf16 --device cpu --out B/classifier-50-both-classical-seed-0
xrayaug train-classifier --data B/arm-50-both-projected-2 --arch efficientnet_lite0 --size 128 --train head --precision bf16 --device cpu --seed 1 --out B/classifier-50-both-projected-2-seed-1
xrayaug train-classifier --data B/arm-50-both-duplicate-projected-2 --arch efficientnet_lite0 --size 128 --train head --precision bf16 --device cpu --seed 1 --out B/classifier-50-both-duplicate-projected-2-seed-1
xrayaug train-classifier --data B/arm-50-both-classical-projected-2 --arch efficientnet_lite0 --size 128 --train head --precision bf16 --device cpu --seed 1 --out B/classifier-50-both-classical-projected-2-seed-1
xrayaug train-classifier --data B/arm-50-both-projected-3 --arch efficientnet_lite0 --size 128 --train head --precision bf16 --device cpu --seed 2 --out B/classifier-50-both-projected-3-seed-2
xrayaug train-classifier --data B/arm-50-both-duplicate-projected-3 --arch efficientnet_lite0 --size 128 --train head --precision bf16 --device cpu --seed 2 --out B/classifier-50-both-duplicate-projected-3-seed-2
xrayaug train-classifier --data B/arm-50-both-classical-projected-3 --arch efficientnet_lite0 --size 128 --train head --precision bf16 --device cpu --seed 2 --out B/classifier-50-both-classical-projected-3-seed-2
xrayaug train-classifier --data B/arm-50-both-projected-4 --arch efficientnet_lite0 --size 128 --train head --precision bf16 --device cpu --seed 3 --out B/classifier-50-both-projected-4-seed-3
xrayaug train-classifier --data B/arm-50-both-duplicate-projected-4 --arch efficientnet_lite0 --size 128 --train head --precision bf16 --device cpu --seed 3 --out B/classifier-50-both-duplicate-projected-4-seed-3
xrayaug train-classifier --data B/arm-50-both-classical-projected-4 --arch efficientnet_lite0 --size 128 --train head --precision bf16 --device cpu --seed 3 --out B/classifier-50-both-classical-projected-4-seed-3
xrayaug train-classifier --data B/arm-50-both-projected-5 --arch efficientnet_lite0 --size 128 --train head --precision bf16 --device cpu --seed 4 --out B/classifier-50-both-projected-5-seed-4
xrayaug train-classifier --data B/arm-50-both-duplicate-projected-5 --arch efficientnet_lite0 --size 128 --train head --precision bf16 --device cpu --seed 4 --out B/classifier-50-both-duplicate-projected-5-seed-4
xrayaug train-classifier --data B/arm-50-both-classical-projected-5 --arch efficientnet_lite0 --size 128 --train head --precision bf16 --device cpu --seed 4 --out B/classifier-50-both-classical-projected-5-seed-4
xrayaug train-classifier --data B/arm-100-both --arch efficientnet_lite0 --size 128 --train head --precision bf16 --device cpu --out B/classifier-100-both-seed-0
xrayaug train-classifier --data B/arm-100-both-duplicate --arch efficientnet_lite0 --size 128 --train head --precision bf16 --device cpu --out B/classifier-100-both-duplicate-seed-0
xrayaug train-classifier --data B/arm-100-both-classical --arch efficientnet_lite0 --size 128 --train head --precision bf16 --device cpu --out B/classifier-100-both-classical-seed-0
xrayaug train-classifier --data B/arm-100-both-projected-2 --arch efficientnet_lite0 --size 128 --train head --precision bf16 --device cpu --seed 1 --out B/classifier-100-both-projected-2-seed-1
xrayaug train-classifier --data B/arm-100-both-duplicate-projected-2 --arch efficientnet_lite0 --size 128 --train head --precision bf16 --device cpu --seed 1 --out B/classifier-100-both-duplicate-projected-2-seed-1
xrayaug train-classifier --data B/arm-100-both-classical-projected-2 --arch efficientnet_lite0 --size 128 --train head --precision bf16 --device cpu --seed 1 --out B/classifier-100-both-classical-projected-2-seed-1
xrayaug train-classifier --data B/arm-100-both-projected-3 --arch efficientnet_lite0 --size 128 --train head --precision bf16 --device cpu --seed 2 --out B/classifier-100-both-projected-3-seed-2
xrayaug train-classifier --data B/arm-100-both-duplicate-projected-3 --arch efficientnet_lite0 --size 128 --train head --precision bf16 --device cpu --seed 2 --out B/classifier-100-both-duplicate-projected-3-seed-2
xrayaug train-classifier --data B/arm-100-both-classical-projected-3 --arch efficientnet_lite0 --size 128 --train head --precision bf16 --device cpu --seed 2 --out B/classifier-100-both-classical-projected-3-seed-2
xrayaug train-classifier --data B/arm-100-both-projected-4 --arch efficientnet_lite0 --size 128 --train head --precision bf16 --device cpu --seed 3 --out B/classifier-100-both-projected-4-seed-3
xrayaug train-classifier --data B/arm-100-both-duplicate-projected-4 --arch efficientnet_lite0 --size 128 --train head --precision bf16 --device cpu --seed 3 --out B/classifier-100-both-duplicate-projected-4-seed-3
xrayaug train-classifier --data B/arm-100-both-classical-projected-4 --arch efficientnet_lite0 --size 128 --train head --precision bf16 --device cpu --seed 3 --out B/classifier-100-both-classical-projected-4-seed-3
xrayaug train-classifier --data B/arm-100-both-projected-5 --arch efficientnet_lite0 --size 128 --train head --precision bf16 --device cpu --seed 4 --out B/classifier-100-both-projected-5-seed-4
xrayaug train-classifier --data B/arm-100-both-duplicate-projected-5 --arch efficientnet_lite0 --size 128 --train head --precision bf16 --device cpu --seed 4 --out B/classifier-100-both-duplicate-projected-5-seed-4
xrayaug train-classifier --data B/arm-100-both-classical-projected-5 --arch efficientnet_lite0 --size 128 --train head --precision bf16 --device cpu --seed 4 --out B/classifier-100-both-classical-projected-5-seed-4
xrayaug train-classifier --data B/arm-300-both --arch efficientnet_lite0 --size 128 --train head --precision bf16 --device cpu --out B/classifier-300-both-seed-0
xrayaug train-classifier --data B/arm-300-both-duplicate --arch efficientnet_lite0 --size 128 --train head --precision bf16 --device cpu --out B/classifier-300-both-duplicate-seed-0
xrayaug train-classifier --data B/arm-300-both-classical --arch efficientnet_lite0 --size 128 --train head --precision bf16 --device cpu --out B/classifier-300-both-classical-seed-0
xrayaug train-classifier --data B/arm-300-both-projected-2 --arch efficientnet_lite0 --size 128 --train head --precision bf16 --device cpu --seed 1 --out B/classifier-300-both-projected-2-seed-1
xrayaug train-classifier --data B/arm-300-both-duplicate-projected-2 --arch efficientnet_lite0 --size 128 --train head --precision bf16 --device cpu --seed 1 --out B/classifier-300-both-duplicate-projected-2-seed-1
xrayaug train-classifier --data B/arm-300-both-classical-projected-2 --arch efficientnet_lite0 --size 128 --train head --precision bf16 --device cpu --seed 1 --out B/classifier-300-both-classical-projected-2-seed-1
xrayaug train-classifier --data B/arm-300-both-projected-3 --arch efficientnet_lite0 --size 128 --train head --precision bf16 --device cpu --seed 2 --out B/classifier-300-both-projected-3-seed-2
xrayaug train-classifier --data B/arm-300-both-duplicate-projected-3 --arch efficientnet_lite0 --size 128 --train head --precision bf16 --device cpu --seed 2 --out B/classifier-300-both-duplicate-projected-3-seed-2
xrayaug train-classifier --data B/arm-300-both-classical-projected-3 --arch efficientnet_lite0 --size 128 --train head --precision bf16 --device cpu --seed 2 --out B/classifier-300-both-classical-projected-3-seed-2
xrayaug train-classifier --data B/arm-300-both-projected-4 --arch efficientnet_lite0 --size 128 --train head --precision bf16 --device cpu --seed 3 --out B/classifier-300-both-projected-4-seed-3
xrayaug train-classifier --data B/arm-300-both-duplicate-projected-4 --arch efficientnet_lite0 --size 128 --train head --precision bf16 --device cpu --seed 3 --out B/classifier-300-both-duplicate-projected-4-seed-3
xrayaug train-classifier --data B/arm-300-both-classical-projected-4 --arch efficientnet_lite0 --size 128 --train head --precision bf16 --device cpu --seed 3 --out B/classifier-300-both-classical-projected-4-seed-3
xrayaug train-classifier --data B/arm-300-both-projected-5 --arch efficientnet_lite0 --size 128 --train head --precision bf16 --device cpu --seed 4 --out B/classifier-300-both-projected-5-seed-4
xrayaug train-classifier --data B/arm-300-both-duplicate-projected-5 --arch efficientnet_lite0 --size 128 --train head --precision bf16 --device cpu --seed 4 --out B/classifier-300-both-duplicate-projected-5-seed-4
xrayaug train-classifier --data B/arm-300-both-classical-projected-5 --arch efficientnet_lite0 --size 128 --train head --precision bf16 --device cpu --seed 4 --out B/classifier-300-both-classical-projected-5-seed-4
xrayaug evaluate B/classifier-0-seed-0 B/classifier-0-seed-1 B/classifier-0-seed-2 B/classifier-0-seed-3 B/classifier-0-seed-4 B/classifier-25-both-seed-0 B/classifier-25-both-duplicate-seed-0 B/classifier-25-both-classical-seed-0 B/classifier-25-both-projected-2-seed-1 B/classifier-25-both-duplicate-projected-2-seed-1 B/classifier-25-both-classical-projected-2-seed-1 B/classifier-25-both-projected-3-seed-2 B/classifier-25-both-duplicate-projected-3-seed-2 B/classifier-25-both-classical-projected-3-seed-2 B/classifier-25-both-projected-4-seed-3 B/classifier-25-both-duplicate-projected-4-seed-3 B/classifier-25-both-classical-projected-4-seed-3 B/classifier-25-both-projected-5-seed-4 B/classifier-25-both-duplicate-projected-5-seed-4 B/classifier-25-both-classical-projected-5-seed-4 B/classifier-50-both-seed-0 B/classifier-50-both-duplicate-seed-0 B/classifier-50-both-classical-seed-0 B/classifier-50-both-projected-2-seed-1 B/classifier-50-both-duplicate-projected-2-seed-1 B/classifier-50-both-classical-projected-2-seed-1 B/classifier-50-both-projected-3-seed-2 B/classifier-50-both-duplicate-projected-3-seed-2 B/classifier-50-both-classical-projected-3-seed-2 B/classifier-50-both-projected-4-seed-3 B/classifier-50-both-duplicate-projected-4-seed-3 B/classifier-50-both-classical-projected-4-seed-3 B/classifier-50-both-projected-5-seed-4 B/classifier-50-both-duplicate-projected-5-seed-4 B/classifier-50-both-classical-projected-5-seed-4 B/classifier-100-both-seed-0 B/classifier-100-both-duplicate-seed-0 B/classifier-100-both-classical-seed-0 B/classifier-100-both-projected-2-seed-1 B/classifier-100-both-duplicate-projected-2-seed-1 B/classifier-100-both-classical-projected-2-seed-1 B/classifier-100-both-projected-3-seed-2 B/classifier-100-both-duplicate-projected-3-seed-2 B/classifier-100-both-classical-projected-3-seed-2 B/classifier-100-both-projected-4-seed-3 B/classifier-100-both-duplicate-projected-4-seed-3 B/classifier-100-both-classical-projected-4-seed-3 B/classifier-100-both-projected-5-seed-4 B/classifier-100-both-duplicate-projected-5-seed-4 B/classifier-100-both-classical-projected-5-seed-4 B/classifier-300-both-seed-0 B/classifier-300-both-duplicate-seed-0 B/classifier-300-both-classical-seed-0 B/classifier-300-both-projected-2-seed-1 B/classifier-300-both-duplicate-projected-2-seed-1 B/classifier-300-both-classical-projected-2-seed-1 B/classifier-300-both-projected-3-seed-2 B/classifier-300-both-duplicate-projected-3-seed-2 B/classifier-300-both-classical-projected-3-seed-2 B/classifier-300-both-projected-4-seed-3 B/classifier-300-both-duplicate-projected-4-seed-3 B/classifier-300-both-classical-projected-4-seed-3 B/classifier-300-both-projected-5-seed-4 B/classifier-300-both-duplicate-projected-5-seed-4 B/classifier-300-both-classical-projected-5-seed-4 --fid B/fid-synthetic-rsna,B/fid-synthetic-projected-2-rsna,B/fid-synthetic-projected-3-rsna,B/fid-synthetic-projected-4-rsna,B/fid-synthetic-projected-5-rsna --privacy B/privacy,B/privacy-projected-2,B/privacy-projected-3,B/privacy-projected-4,B/privacy-projected-5 --against both --checklist --device cpu --overwrite --out B/evaluation
