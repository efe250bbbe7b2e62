#!/bin/sh
# The study, command by command; written by xrayaug 0.1.0.
set -e
xrayaug train-gan --data hands64 --epochs 200 --batch-size 32 --only-label normal --precision bf16 --on-collapse warn --device cpu --out A/gan
xrayaug sample --run A/gan --count 400 --device cpu --out A/synthetic
xrayaug train-gan --data hands64 --epochs 200 --batch-size 32 --only-label normal --precision bf16 --on-collapse warn --device cpu --seed 1 --out A/gan-dcgan-2
xrayaug sample --run A/gan-dcgan-2 --count 400 --device cpu --seed 1 --out A/synthetic-dcgan-2
xrayaug train-gan --data hands64 --epochs 200 --batch-size 32 --only-label normal --precision bf16 --on-collapse warn --device cpu --seed 2 --out A/gan-dcgan-3
xrayaug sample --run A/gan-dcgan-3 --count 400 --device cpu --seed 2 --out A/synthetic-dcgan-3
xrayaug train-gan --data hands64 --epochs 200 --batch-size 32 --only-label normal --precision bf16 --on-collapse warn --device cpu --seed 3 --out A/gan-dcgan-4
xrayaug sample --run A/gan-dcgan-4 --count 400 --device cpu --seed 3 --out A/synthetic-dcgan-4
xrayaug train-gan --data hands64 --epochs 200 --batch-size 32 --only-label normal --precision bf16 --on-collapse warn --device cpu --seed 4 --out A/gan-dcgan-5
xrayaug sample --run A/gan-dcgan-5 --count 400 --device cpu --seed 4 --out A/synthetic-dcgan-5
xrayaug fid A/synthetic hands64 --features imagenet --device cpu --out A/fid-synthetic-rsna
xrayaug fid A/synthetic-dcgan-2 hands64 --features imagenet --device cpu --out A/fid-synthetic-dcgan-2-rsna
xrayaug fid A/synthetic-dcgan-3 hands64 --features imagenet --device cpu --out A/fid-synthetic-dcgan-3-rsna
xrayaug fid A/synthetic-dcgan-4 hands64 --features imagenet --device cpu --out A/fid-synthetic-dcgan-4-rsna
xrayaug fid A/synthetic-dcgan-5 hands64 --features imagenet --device cpu --out A/fid-synthetic-dcgan-5-rsna
xrayaug copies A/synthetic --real hands64 --features imagenet --device cpu --out A/copies
xrayaug copies A/synthetic-dcgan-2 --real hands64 --features imagenet --device cpu --out A/copies-dcgan-2
xrayaug copies A/synthetic-dcgan-3 --real hands64 --features imagenet --device cpu --out A/copies-dcgan-3
xrayaug copies A/synthetic-dcgan-4 --real hands64 --features imagenet --device cpu --out A/copies-dcgan-4
xrayaug copies A/synthetic-dcgan-5 --real hands64 --features imagenet --device cpu --out A/copies-dcgan-5
xrayaug privacy A/synthetic --real hands64 --features imagenet --device cpu --out A/privacy
xrayaug privacy A/synthetic-dcgan-2 --real hands64 --features imagenet --device cpu --out A/privacy-dcgan-2
xrayaug privacy A/synthetic-dcgan-3 --real hands64 --features imagenet --device cpu --out A/privacy-dcgan-3
xrayaug privacy A/synthetic-dcgan-4 --real hands64 --features imagenet --device cpu --out A/privacy-dcgan-4
xrayaug privacy A/synthetic-dcgan-5 --real hands64 --features imagenet --device cpu --out A/privacy-dcgan-5
xrayaug augment --real hands64 --synthetic A/synthetic --percent 0 --copies A/copies --out A/arm-0
xrayaug augment --real hands64 --synthetic A/synthetic --percent 10 --copies A/copies --out A/arm-10
xrayaug augment --real hands64 --synthetic A/synthetic --percent 10 --control duplicate --copies A/copies --out A/arm-10-duplicate
xrayaug augment --real hands64 --synthetic A/synthetic --percent 10 --control classical --copies A/copies --out A/arm-10-classical
xrayaug augment --real hands64 --synthetic A/synthetic-dcgan-2 --percent 10 --copies A/copies-dcgan-2 --out A/arm-10-dcgan-2
xrayaug augment --real hands64 --synthetic A/synthetic-dcgan-3 --percent 10 --copies A/copies-dcgan-3 --out A/arm-10-dcgan-3
xrayaug augment --real hands64 --synthetic A/synthetic-dcgan-4 --percent 10 --copies A/copies-dcgan-4 --out A/arm-10-dcgan-4
xrayaug augment --real hands64 --synthetic A/synthetic-dcgan-5 --percent 10 --copies A/copies-dcgan-5 --out A/arm-10-dcgan-5
xrayaug augment --real hands64 --synthetic A/synthetic --percent 50 --copies A/copies --out A/arm-50
xrayaug augment --real hands64 --synthetic A/synthetic --percent 50 --control duplicate --copies A/copies --out A/arm-50-duplicate
xrayaug augment --real hands64 --synthetic A/synthetic --percent 50 --control classical --copies A/copies --out A/arm-50-classical
xrayaug augment --real hands64 --synthetic A/synthetic-dcgan-2 --percent 50 --copies A/copies-dcgan-2 --out A/arm-50-dcgan-2
xrayaug augment --real hands64 --synthetic A/synthetic-dcgan-3 --percent 50 --copies A/copies-dcgan-3 --out A/arm-50-dcgan-3
xrayaug augment --real hands64 --synthetic A/synthetic-dcgan-4 --percent 50 --copies A/copies-dcgan-4 --out A/arm-50-dcgan-4
xrayaug augment --real hands64 --synthetic A/synthetic-dcgan-5 --percent 50 --copies A/copies-dcgan-5 --out A/arm-50-dcgan-5
xrayaug augment --real hands64 --synthetic A/synthetic --percent 100 --copies A/copies --out A/arm-100
xrayaug augment --real hands64 --synthetic A/synthetic --percent 100 --control duplicate --copies A/copies --out A/arm-100-duplicate
xrayaug augment --real hands64 --synthetic A/synthetic --percent 100 --control classical --copies A/copies --out A/arm-100-classical
xrayaug augment --real hands64 --synthetic A/synthetic-dcgan-2 --percent 100 --copies A/copies-dcgan-2 --out A/arm-100-dcgan-2
xrayaug augment --real hands64 --synthetic A/synthetic-dcgan-3 --percent 100 --copies A/copies-dcgan-3 --out A/arm-100-dcgan-3
xrayaug augment --real hands64 --synthetic A/synthetic-dcgan-4 --percent 100 --copies A/copies-dcgan-4 --out A/arm-100-dcgan-4
xrayaug augment --real hands64 --synthetic A/synthetic-dcgan-5 --percent 100 --copies A/copies-dcgan-5 --out A/arm-100-dcgan-5
xrayaug train-classifier --data A/arm-0 --arch efficientnet_lite0 --size 128 --train head --seeds 5 --precision bf16 --device cpu --out 'A/classifier-0-seed-{seed}'
xrayaug train-classifier --data A/arm-10 --arch efficientnet_lite0 --size 128 --train head --precision bf16 --device cpu --out A/classifier-10-seed-0
xrayaug train-classifier --data A/arm-10-duplicate --arch efficientnet_lite0 --size 128 --train head --seeds 5 --precision bf16 --device cpu --out 'A/classifier-10-duplicate-seed-{seed}'
xrayaug train-classifier --data A/arm-10-classical --arch efficientnet_lite0 --size 128 --train head --seeds 5 --precision bf16 --device cpu --out 'A/classifier-10-classical-seed-{seed}'
xrayaug train-classifier --data A/arm-10-dcgan-2 --arch efficientnet_lite0 --size 128 --train head --precision bf16 --device cpu --seed 1 --out A/classifier-10-dcgan-2-seed-1
xrayaug train-classifier --data A/arm-10-dcgan-3 --arch efficientnet_lite0 --size 128 --train head --precision bf16 --device cpu --seed 2 --out A/classifier-10-dcgan-3-seed-2
xrayaug train-classifier --data A/arm-10-dcgan-4 --arch efficientnet_lite0 --size 128 --train head --precision bf16 --device cpu --seed 3 --out A/classifier-10-dcgan-4-seed-3
xrayaug train-classifier --data A/arm-10-dcgan-5 --arch efficientnet_lite0 --size 128 --train head --precision bf16 --device cpu --seed 4 --out A/classifier-10-dcgan-5-seed-4
xrayaug train-classifier --data A/arm-50 --arch efficientnet_lite0 --size 128 --train head --precision bf16 --device cpu --out A/classifier-50-seed-0
xrayaug train-classifier --data A/arm-50-duplicate --arch efficientnet_lite0 --size 128 --train head --seeds 5 --precision bf16 --device cpu --out 'A/classifier-50-duplicate-seed-{seed}'
xrayaug train-classifier --data A/arm-50-classical --arch efficientnet_lite0 --size 128 --train head --seeds 5 --precision bf16 --device cpu --out 'A/classifier-50-classical-seed-{seed}'
xrayaug train-classifier --data A/arm-50-dcgan-2 --arch efficientnet_lite0 --size 128 --train head --precision bf16 --device cpu --seed 1 --out A/classifier-50-dcgan-2-seed-1
xrayaug train-classifier --data A/arm-50-dcgan-3 --arch efficientnet_lite0 --size 128 --train head --precision bf16 --device cpu --seed 2 --out A/classifier-50-dcgan-3-seed-2
xrayaug train-classifier --data A/arm-50-dcgan-4 --arch efficientnet_lite0 --size 128 --train head --precision bf16 --device cpu --seed 3 --out A/classifier-50-dcgan-4-seed-3
xrayaug train-classifier --data A/arm-50-dcgan-5 --arch efficientnet_lite0 --size 128 --train head --precision bf16 --device cpu --seed 4 --out A/classifier-50-dcgan-5-seed-4
xrayaug train-classifier --data A/arm-100 --arch efficientnet_lite0 --size 128 --train head --precision bf16 --device cpu --out A/classifier-100-seed-0
xrayaug train-classifier --data A/arm-100-duplicate --arch efficientnet_lite0 --size 128 --train head --seeds 5 --precision bf16 --device cpu --out 'A/classifier-100-duplicate-seed-{seed}'
xrayaug train-classifier --data A/arm-100-classical --arch efficientnet_lite0 --size 128 --train head --seeds 5 --precision bf16 --device cpu --out 'A/classifier-100-classical-seed-{seed}'
xrayaug train-classifier --data A/arm-100-dcgan-2 --arch efficientnet_lite0 --size 128 --train head --precision bf16 --device cpu --seed 1 --out A/classifier-100-dcgan-2-seed-1
xrayaug train-classifier --data A/arm-100-dcgan-3 --arch efficientnet_lite0 --size 128 --train head --precision bf16 --device cpu --seed 2 --out A/classifier-100-dcgan-3-seed-2
xrayaug train-classifier --data A/arm-100-dcgan-4 --arch efficientnet_lite0 --size 128 --train head --precision bf16 --device cpu --seed 3 --out A/classifier-100-dcgan-4-seed-3
xrayaug train-classifier --data A/arm-100-dcgan-5 --arch efficientnet_lite0 --size 128 --train head --precision bf16 --device cpu --seed 4 --out A/classifier-100-dcgan-5-seed-4
xrayaug evaluate A/classifier-0-seed-0 A/classifier-0-seed-1 A/classifier-0-seed-2 A/classifier-0-seed-3 A/classifier-0-seed-4 A/classifier-10-seed-0 A/classifier-10-duplicate-seed-0 A/classifier-10-duplicate-seed-1 A/classifier-10-duplicate-seed-2 A/classifier-10-duplicate-seed-3 A/classifier-10-duplicate-seed-4 A/classifier-10-classical-seed-0 A/classifier-10-classical-seed-1 A/classifier-10-classical-seed-2 A/classifier-10-classical-seed-3 A/classifier-10-classical-seed-4 A/classifier-10-dcgan-2-seed-1 A/classifier-10-dcgan-3-seed-2 A/classifier-10-dcgan-4-seed-3 A/classifier-10-dcgan-5-seed-4 A/classifier-50-seed-0 A/classifier-50-duplicate-seed-0 A/classifier-50-duplicate-seed-1 A/classifier-50-duplicate-seed-2 A/classifier-50-duplicate-seed-3 A/classifier-50-duplicate-seed-4 A/classifier-50-classical-seed-0 A/classifier-50-classical-seed-1 A/classifier-50-classical-seed-2 A/classifier-50-classical-seed-3 A/classifier-50-classical-seed-4 A/classifier-50-dcgan-2-seed-1 A/classifier-50-dcgan-3-seed-2 A/classifier-50-dcgan-4-seed-3 A/classifier-50-dcgan-5-seed-4 A/classifier-100-seed-0 A/classifier-100-duplicate-seed-0 A/classifier-100-duplicate-seed-1 A/classifier-100-duplicate-seed-2 A/classifier-100-duplicate-seed-3 A/classifier-100-duplicate-seed-4 A/classifier-100-classical-seed-0 A/classifier-100-classical-seed-1 A/classifier-100-classical-seed-2 A/classifier-100-classical-seed-3 A/classifier-100-classical-seed-4 A/classifier-100-dcgan-2-seed-1 A/classifier-100-dcgan-3-seed-2 A/classifier-100-dcgan-4-seed-3 A/classifier-100-dcgan-5-seed-4 --fid A/fid-synthetic-rsna,A/fid-synthetic-dcgan-2-rsna,A/fid-synthetic-dcgan-3-rsna,A/fid-synthetic-dcgan-4-rsna,A/fid-synthetic-dcgan-5-rsna --privacy A/privacy,A/privacy-dcgan-2,A/privacy-dcgan-3,A/privacy-dcgan-4,A/privacy-dcgan-5 --against both --checklist --device cpu --overwrite --out A/evaluation
