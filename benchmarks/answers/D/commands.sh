#!/bin/sh
# The study, command by command; written by xrayaug 0.1.0.
set -e
xrayaug train-gan --data few --init unlabelled --arch projected --epochs 62 --conditional --precision bf16 --device cpu --out D/gan
xrayaug sample --run D/gan --count 800 --device cpu --out D/synthetic
xrayaug train-gan --data few --init unlabelled --arch projected --epochs 62 --conditional --precision bf16 --device cpu --seed 1 --out D/gan-projected-2
xrayaug sample --run D/gan-projected-2 --count 800 --device cpu --seed 1 --out D/synthetic-projected-2
xrayaug train-gan --data few --init unlabelled --arch projected --epochs 62 --conditional --precision bf16 --device cpu --seed 2 --out D/gan-projected-3
xrayaug sample --run D/gan-projected-3 --count 800 --device cpu --seed 2 --out D/synthetic-projected-3
xrayaug train-gan --data few --init unlabelled --arch projected --epochs 62 --conditional --precision bf16 --device cpu --seed 3 --out D/gan-projected-4
xrayaug sample --run D/gan-projected-4 --count 800 --device cpu --seed 3 --out D/synthetic-projected-4
xrayaug train-gan --data few --init unlabelled --arch projected --epochs 62 --conditional --precision bf16 --device cpu --seed 4 --out D/gan-projected-5
xrayaug sample --run D/gan-projected-5 --count 800 --device cpu --seed 4 --out D/synthetic-projected-5
xrayaug fid D/synthetic few --features imagenet --device cpu --out D/fid-synthetic-rsna
xrayaug fid D/synthetic-projected-2 few --features imagenet --device cpu --out D/fid-synthetic-projected-2-rsna
xrayaug fid D/synthetic-projected-3 few --features imagenet --device cpu --out D/fid-synthetic-projected-3-rsna
xrayaug fid D/synthetic-projected-4 few --features imagenet --device cpu --out D/fid-synthetic-projected-4-rsna
xrayaug fid D/synthetic-projected-5 few --features imagenet --device cpu --out D/fid-synthetic-projected-5-rsna
xrayaug fid few hands64 --features imagenet --device cpu --out D/fid-rsna-mura
xrayaug copies D/synthetic --real few --features imagenet --device cpu --out D/copies
xrayaug copies D/synthetic-projected-2 --real few --features imagenet --device cpu --out D/copies-projected-2
xrayaug copies D/synthetic-projected-3 --real few --features imagenet --device cpu --out D/copies-projected-3
xrayaug copies D/synthetic-projected-4 --real few --features imagenet --device cpu --out D/copies-projected-4
xrayaug copies D/synthetic-projected-5 --real few --features imagenet --device cpu --out D/copies-projected-5
xrayaug privacy D/synthetic --real few --features imagenet --device cpu --out D/privacy
xrayaug privacy D/synthetic-projected-2 --real few --features imagenet --device cpu --out D/privacy-projected-2
xrayaug privacy D/synthetic-projected-3 --real few --features imagenet --device cpu --out D/privacy-projected-3
xrayaug privacy D/synthetic-projected-4 --real few --features imagenet --device cpu --out D/privacy-projected-4
xrayaug privacy D/synthetic-projected-5 --real few --features imagenet --device cpu --out D/privacy-projected-5
xrayaug augment --real hands64 --synthetic D/synthetic --percent 0 --copies D/copies --real-fraction 0.25 --out D/arm-0-real-0.25
xrayaug augment --real hands64 --synthetic D/synthetic --percent 100 --copies D/copies --real-fraction 0.25 --out D/arm-100-both-real-0.25
xrayaug augment --real hands64 --synthetic D/synthetic --percent 100 --control duplicate --copies D/copies --real-fraction 0.25 --out D/arm-100-both-duplicate-real-0.25
xrayaug augment --real hands64 --synthetic D/synthetic --percent 100 --control classical --copies D/copies --real-fraction 0.25 --out D/arm-100-both-classical-real-0.25
xrayaug augment --real hands64 --synthetic D/synthetic-projected-2 --percent 100 --copies D/copies-projected-2 --real-fraction 0.25 --out D/arm-100-both-projected-2-real-0.25
xrayaug augment --real hands64 --synthetic D/synthetic-projected-2 --percent 100 --control duplicate --copies D/copies-projected-2 --real-fraction 0.25 --out D/arm-100-both-duplicate-projected-2-real-0.25
xrayaug augment --real hands64 --synthetic D/synthetic-projected-2 --percent 100 --control classical --copies D/copies-projected-2 --real-fraction 0.25 --out D/arm-100-both-classical-projected-2-real-0.25
xrayaug augment --real hands64 --synthetic D/synthetic-projected-3 --percent 100 --copies D/copies-projected-3 --real-fraction 0.25 --out D/arm-100-both-projected-3-real-0.25
xrayaug augment --real hands64 --synthetic D/synthetic-projected-3 --percent 100 --control duplicate --copies D/copies-projected-3 --real-fraction 0.25 --out D/arm-100-both-duplicate-projected-3-real-0.25
xrayaug augment --real hands64 --synthetic D/synthetic-projected-3 --percent 100 --control classical --copies D/copies-projected-3 --real-fraction 0.25 --out D/arm-100-both-classical-projected-3-real-0.25
xrayaug augment --real hands64 --synthetic D/synthetic-projected-4 --percent 100 --copies D/copies-projected-4 --real-fraction 0.25 --out D/arm-100-both-projected-4-real-0.25
xrayaug augment --real hands64 --synthetic D/synthetic-projected-4 --percent 100 --control duplicate --copies D/copies-projected-4 --real-fraction 0.25 --out D/arm-100-both-duplicate-projected-4-real-0.25
xrayaug augment --real hands64 --synthetic D/synthetic-projected-4 --percent 100 --control classical --copies D/copies-projected-4 --real-fraction 0.25 --out D/arm-100-both-classical-projected-4-real-0.25
xrayaug augment --real hands64 --synthetic D/synthetic-projected-5 --percent 100 --copies D/copies-projected-5 --real-fraction 0.25 --out D/arm-100-both-projected-5-real-0.25
xrayaug augment --real hands64 --synthetic D/synthetic-projected-5 --percent 100 --control duplicate --copies D/copies-projected-5 --real-fraction 0.25 --out D/arm-100-both-duplicate-projected-5-real-0.25
xrayaug augment --real hands64 --synthetic D/synthetic-projected-5 --percent 100 --control classical --copies D/copies-projected-5 --real-fraction 0.25 --out D/arm-100-both-classical-projected-5-real-0.25
xrayaug augment --real hands64 --synthetic D/synthetic --percent 600 --copies D/copies --real-fraction 0.25 --out D/arm-600-both-real-0.25
xrayaug augment --real hands64 --synthetic D/synthetic --percent 600 --control duplicate --copies D/copies --real-fraction 0.25 --out D/arm-600-both-duplicate-real-0.25
xrayaug augment --real hands64 --synthetic D/synthetic --percent 600 --control classical --copies D/copies --real-fraction 0.25 --out D/arm-600-both-classical-real-0.25
xrayaug augment --real hands64 --synthetic D/synthetic-projected-2 --percent 600 --copies D/copies-projected-2 --real-fraction 0.25 --out D/arm-600-both-projected-2-real-0.25
xrayaug augment --real hands64 --synthetic D/synthetic-projected-2 --percent 600 --control duplicate --copies D/copies-projected-2 --real-fraction 0.25 --out D/arm-600-both-duplicate-projected-2-real-0.25
xrayaug augment --real hands64 --synthetic D/synthetic-projected-2 --percent 600 --control classical --copies D/copies-projected-2 --real-fraction 0.25 --out D/arm-600-both-classical-projected-2-real-0.25
xrayaug augment --real hands64 --synthetic D/synthetic-projected-3 --percent 600 --copies D/copies-projected-3 --real-fraction 0.25 --out D/arm-600-both-projected-3-real-0.25
xrayaug augment --real hands64 --synthetic D/synthetic-projected-3 --percent 600 --control duplicate --copies D/copies-projected-3 --real-fraction 0.25 --out D/arm-600-both-duplicate-projected-3-real-0.25
xrayaug augment --real hands64 --synthetic D/synthetic-projected-3 --percent 600 --control classical --copies D/copies-projected-3 --real-fraction 0.25 --out D/arm-600-both-classical-projected-3-real-0.25
xrayaug augment --real hands64 --synthetic D/synthetic-projected-4 --percent 600 --copies D/copies-projected-4 --real-fraction 0.25 --out D/arm-600-both-projected-4-real-0.25
xrayaug augment --real hands64 --synthetic D/synthetic-projected-4 --percent 600 --control duplicate --copies D/copies-projected-4 --real-fraction 0.25 --out D/arm-600-both-duplicate-projected-4-real-0.25
xrayaug augment --real hands64 --synthetic D/synthetic-projected-4 --percent 600 --control classical --copies D/copies-projected-4 --real-fraction 0.25 --out D/arm-600-both-classical-projected-4-real-0.25
xrayaug augment --real hands64 --synthetic D/synthetic-projected-5 --percent 600 --copies D/copies-projected-5 --real-fraction 0.25 --out D/arm-600-both-projected-5-real-0.25
xrayaug augment --real hands64 --synthetic D/synthetic-projected-5 --percent 600 --control duplicate --copies D/copies-projected-5 --real-fraction 0.25 --out D/arm-600-both-duplicate-projected-5-real-0.25
xrayaug augment --real hands64 --synthetic D/synthetic-projected-5 --percent 600 --control classical --copies D/copies-projected-5 --real-fraction 0.25 --out D/arm-600-both-classical-projected-5-real-0.25
xrayaug train-classifier --data D/arm-0-real-0.25 --arch efficientnet_lite0 --size 128 --train head --seeds 5 --precision bf16 --device cpu --out 'D/classifier-0-real-0.25-seed-{seed}'
xrayaug train-classifier --data D/arm-100-both-real-0.25 --arch efficientnet_lite0 --size 128 --train head --precision bf16 --device cpu --out D/classifier-100-both-real-0.25-seed-0
xrayaug train-classifier --data D/arm-100-both-duplicate-real-0.25 --arch efficientnet_lite0 --size 128 --train head --precision bf16 --device cpu --out D/classifier-100-both-duplicate-real-0.25-seed-0
xrayaug train-classifier --data D/arm-100-both-classical-real-0.25 --arch efficientnet_lite0 --size 128 --train head --precision bf16 --device cpu --out D/classifier-100-both-classical-real-0.25-seed-0
xrayaug train-classifier --data D/arm-100-both-projected-2-real-0.25 --arch efficientnet_lite0 --size 128 --train head --precision bf16 --device cpu --seed 1 --out D/classifier-100-both-projected-2-real-0.25-seed-1
xrayaug train-classifier --data D/arm-100-both-duplicate-projected-2-real-0.25 --arch efficientnet_lite0 --size 128 --train head --precision bf16 --device cpu --seed 1 --out D/classifier-100-both-duplicate-projected-2-real-0.25-seed-1
xrayaug train-classifier --data D/arm-100-both-classical-projected-2-real-0.25 --arch efficientnet_lite0 --size 128 --train head --precision bf16 --device cpu --seed 1 --out D/classifier-100-both-classical-projected-2-real-0.25-seed-1
xrayaug train-classifier --data D/arm-100-both-projected-3-real-0.25 --arch efficientnet_lite0 --size 128 --train head --precision bf16 --device cpu --seed 2 --out D/classifier-100-both-projected-3-real-0.25-seed-2
xrayaug train-classifier --data D/arm-100-both-duplicate-projected-3-real-0.25 --arch efficientnet_lite0 --size 128 --train head --precision bf16 --device cpu --seed 2 --out D/classifier-100-both-duplicate-projected-3-real-0.25-seed-2
xrayaug train-classifier --data D/arm-100-both-classical-projected-3-real-0.25 --arch efficientnet_lite0 --size 128 --train head --precision bf16 --device cpu --seed 2 --out D/classifier-100-both-classical-projected-3-real-0.25-seed-2
xrayaug train-classifier --data D/arm-100-both-projected-4-real-0.25 --arch efficientnet_lite0 --size 128 --train head --precision bf16 --device cpu --seed 3 --out D/classifier-100-both-projected-4-real-0.25-seed-3
xrayaug train-classifier --data D/arm-100-both-duplicate-projected-4-real-0.25 --arch efficientnet_lite0 --size 128 --train head --precision bf16 --device cpu --seed 3 --out D/classifier-100-both-duplicate-projected-4-real-0.25-seed-3
xrayaug train-classifier --data D/arm-100-both-classical-projected-4-real-0.25 --arch efficientnet_lite0 --size 128 --train head --precision bf16 --device cpu --seed 3 --out D/classifier-100-both-classical-projected-4-real-0.25-seed-3
xrayaug train-classifier --data D/arm-100-both-projected-5-real-0.25 --arch efficientnet_lite0 --size 128 --train head --precision bf16 --device cpu --seed 4 --out D/classifier-100-both-projected-5-real-0.25-seed-4
xrayaug train-classifier --data D/arm-100-both-duplicate-projected-5-real-0.25 --arch efficientnet_lite0 --size 128 --train head --precision bf16 --device cpu --seed 4 --out D/classifier-100-both-duplicate-projected-5-real-0.25-seed-4
xrayaug train-classifier --data D/arm-100-both-classical-projected-5-real-0.25 --arch efficientnet_lite0 --size 128 --train head --precision bf16 --device cpu --seed 4 --out D/classifier-100-both-classical-projected-5-real-0.25-seed-4
xrayaug train-classifier --data D/arm-600-both-real-0.25 --arch efficientnet_lite0 --size 128 --train head --precision bf16 --device cpu --out D/classifier-600-both-real-0.25-seed-0
xrayaug train-classifier --data D/arm-600-both-duplicate-real-0.25 --arch efficientnet_lite0 --size 128 --train head --precision bf16 --device cpu --out D/classifier-600-both-duplicate-real-0.25-seed-0
xrayaug train-classifier --data D/arm-600-both-classical-real-0.25 --arch efficientnet_lite0 --size 128 --train head --precision bf16 --device cpu --out D/classifier-600-both-classical-real-0.25-seed-0
xrayaug train-classifier --data D/arm-600-both-projected-2-real-0.25 --arch efficientnet_lite0 --size 128 --train head --precision bf16 --device cpu --seed 1 --out D/classifier-600-both-projected-2-real-0.25-seed-1
xrayaug train-classifier --data D/arm-600-both-duplicate-projected-2-real-0.25 --arch efficientnet_lite0 --size 128 --train head --precision bf16 --device cpu --seed 1 --out D/classifier-600-both-duplicate-projected-2-real-0.25-seed-1
xrayaug train-classifier --data D/arm-600-both-classical-projected-2-real-0.25 --arch efficientnet_lite0 --size 128 --train head --precision bf16 --device cpu --seed 1 --out D/classifier-600-both-classical-projected-2-real-0.25-seed-1
xrayaug train-classifier --data D/arm-600-both-projected-3-real-0.25 --arch efficientnet_lite0 --size 128 --train head --precision bf16 --device cpu --seed 2 --out D/classifier-600-both-projected-3-real-0.25-seed-2
xrayaug train-classifier --data D/arm-600-both-duplicate-projected-3-real-0.25 --arch efficientnet_lite0 --size 128 --train head --precision bf16 --device cpu --seed 2 --out D/classifier-600-both-duplicate-projected-3-real-0.25-seed-2
xrayaug train-classifier --data D/arm-600-both-classical-projected-3-real-0.25 --arch efficientnet_lite0 --size 128 --train head --precision bf16 --device cpu --seed 2 --out D/classifier-600-both-classical-projected-3-real-0.25-seed-2
xrayaug train-classifier --data D/arm-600-both-projected-4-real-0.25 --arch efficientnet_lite0 --size 128 --train head --precision bf16 --device cpu --seed 3 --out D/classifier-600-both-projected-4-real-0.25-seed-3
xrayaug train-classifier --data D/arm-600-both-duplicate-projected-4-real-0.25 --arch efficientnet_lite0 --size 128 --train head --precision bf16 --device cpu --seed 3 --out D/classifier-600-both-duplicate-projected-4-real-0.25-seed-3
xrayaug train-classifier --data D/arm-600-both-classical-projected-4-real-0.25 --arch efficientnet_lite0 --size 128 --train head --precision bf16 --device cpu --seed 3 --out D/classifier-600-both-classical-projected-4-real-0.25-seed-3
xrayaug train-classifier --data D/arm-600-both-projected-5-real-0.25 --arch efficientnet_lite0 --size 128 --train head --precision bf16 --device cpu --seed 4 --out D/classifier-600-both-projected-5-real-0.25-seed-4
xrayaug train-classifier --data D/arm-600-both-duplicate-projected-5-real-0.25 --arch efficientnet_lite0 --size 128 --train head --precision bf16 --device cpu --seed 4 --out D/classifier-600-both-duplicate-projected-5-real-0.25-seed-4
xrayaug train-classifier --data D/arm-600-both-classical-projected-5-real-0.25 --arch efficientnet_lite0 --size 128 --train head --precision bf16 --device cpu --seed 4 --out D/classifier-600-both-classical-projected-5-real-0.25-seed-4
xrayaug evaluate D/classifier-0-real-0.25-seed-0 D/classifier-0-real-0.25-seed-1 D/classifier-0-real-0.25-seed-2 D/classifier-0-real-0.25-seed-3 D/classifier-0-real-0.25-seed-4 D/classifier-100-both-real-0.25-seed-0 D/classifier-100-both-duplicate-real-0.25-seed-0 D/classifier-100-both-classical-real-0.25-seed-0 D/classifier-100-both-projected-2-real-0.25-seed-1 D/classifier-100-both-duplicate-projected-2-real-0.25-seed-1 D/classifier-100-both-classical-projected-2-real-0.25-seed-1 D/classifier-100-both-projected-3-real-0.25-seed-2 D/classifier-100-both-duplicate-projected-3-real-0.25-seed-2 D/classifier-100-both-classical-projected-3-real-0.25-seed-2 D/classifier-100-both-projected-4-real-0.25-seed-3 D/classifier-100-both-duplicate-projected-4-real-0.25-seed-3 D/classifier-100-both-classical-projected-4-real-0.25-seed-3 D/classifier-100-both-projected-5-real-0.25-seed-4 D/classifier-100-both-duplicate-projected-5-real-0.25-seed-4 D/classifier-100-both-classical-projected-5-real-0.25-seed-4 D/classifier-600-both-real-0.25-seed-0 D/classifier-600-both-duplicate-real-0.25-seed-0 D/classifier-600-both-classical-real-0.25-seed-0 D/classifier-600-both-projected-2-real-0.25-seed-1 D/classifier-600-both-duplicate-projected-2-real-0.25-seed-1 D/classifier-600-both-classical-projected-2-real-0.25-seed-1 D/classifier-600-both-projected-3-real-0.25-seed-2 D/classifier-600-both-duplicate-projected-3-real-0.25-seed-2 D/classifier-600-both-classical-projected-3-real-0.25-seed-2 D/classifier-600-both-projected-4-real-0.25-seed-3 D/classifier-600-both-duplicate-projected-4-real-0.25-seed-3 D/classifier-600-both-classical-projected-4-real-0.25-seed-3 D/classifier-600-both-projected-5-real-0.25-seed-4 D/classifier-600-both-duplicate-projected-5-real-0.25-seed-4 D/classifier-600-both-classical-projected-5-real-0.25-seed-4 --fid D/fid-synthetic-rsna,D/fid-synthetic-projected-2-rsna,D/fid-synthetic-projected-3-rsna,D/fid-synthetic-projected-4-rsna,D/fid-synthetic-projected-5-rsna,D/fid-rsna-mura --privacy D/privacy,D/privacy-projected-2,D/privacy-projected-3,D/privacy-projected-4,D/privacy-projected-5 --against both --checklist --device cpu --overwrite --out D/evaluation
