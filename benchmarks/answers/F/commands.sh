#!/bin/sh
# The study, command by command; written by xrayaug 0.1.0.
set -e
xrayaug train-gan --data hands64 --arch projected --epochs 46 --conditional --device cpu --seed 5 --out F/gan
xrayaug sample --run F/gan --count 2600 --device cpu --seed 5 --out F/synthetic
xrayaug train-gan --data hands64 --arch projected --epochs 46 --conditional --device cpu --seed 6 --out F/gan-projected-2
xrayaug sample --run F/gan-projected-2 --count 2600 --device cpu --seed 6 --out F/synthetic-projected-2
xrayaug train-gan --data hands64 --arch projected --epochs 46 --conditional --device cpu --seed 7 --out F/gan-projected-3
xrayaug sample --run F/gan-projected-3 --count 2600 --device cpu --seed 7 --out F/synthetic-projected-3
xrayaug train-gan --data hands64 --arch projected --epochs 46 --conditional --device cpu --seed 8 --out F/gan-projected-4
xrayaug sample --run F/gan-projected-4 --count 2600 --device cpu --seed 8 --out F/synthetic-projected-4
xrayaug train-gan --data hands64 --arch projected --epochs 46 --conditional --device cpu --seed 9 --out F/gan-projected-5
xrayaug sample --run F/gan-projected-5 --count 2600 --device cpu --seed 9 --out F/synthetic-projected-5
xrayaug fid F/synthetic hands64 --features imagenet --device cpu --out F/fid-synthetic-rsna
xrayaug fid F/synthetic-projected-2 hands64 --features imagenet --device cpu --out F/fid-synthetic-projected-2-rsna
xrayaug fid F/synthetic-projected-3 hands64 --features imagenet --device cpu --out F/fid-synthetic-projected-3-rsna
xrayaug fid F/synthetic-projected-4 hands64 --features imagenet --device cpu --out F/fid-synthetic-projected-4-rsna
xrayaug fid F/synthetic-projected-5 hands64 --features imagenet --device cpu --out F/fid-synthetic-projected-5-rsna
xrayaug copies F/synthetic --real hands64 --features imagenet --device cpu --out F/copies
xrayaug copies F/synthetic-projected-2 --real hands64 --features imagenet --device cpu --out F/copies-projected-2
xrayaug copies F/synthetic-projected-3 --real hands64 --features imagenet --device cpu --out F/copies-projected-3
xrayaug copies F/synthetic-projected-4 --real hands64 --features imagenet --device cpu --out F/copies-projected-4
xrayaug copies F/synthetic-projected-5 --real hands64 --features imagenet --device cpu --out F/copies-projected-5
xrayaug augment --real hands64 --synthetic F/synthetic --percent 0 --copies F/copies --seed 5 --out F/arm-0
xrayaug augment --real hands64 --synthetic F/synthetic --percent 100 --copies F/copies --seed 5 --out F/arm-100-both
xrayaug augment --real hands64 --synthetic F/synthetic --percent 100 --control duplicate --copies F/copies --seed 5 --out F/arm-100-both-duplicate
xrayaug augment --real hands64 --synthetic F/synthetic-projected-2 --percent 100 --copies F/copies-projected-2 --seed 5 --out F/arm-100-both-projected-2
xrayaug augment --real hands64 --synthetic F/synthetic-projected-2 --percent 100 --control duplicate --copies F/copies-projected-2 --seed 5 --out F/arm-100-both-duplicate-projected-2
xrayaug augment --real hands64 --synthetic F/synthetic-projected-3 --percent 100 --copies F/copies-projected-3 --seed 5 --out F/arm-100-both-projected-3
xrayaug augment --real hands64 --synthetic F/synthetic-projected-3 --percent 100 --control duplicate --copies F/copies-projected-3 --seed 5 --out F/arm-100-both-duplicate-projected-3
xrayaug augment --real hands64 --synthetic F/synthetic-projected-4 --percent 100 --copies F/copies-projected-4 --seed 5 --out F/arm-100-both-projected-4
xrayaug augment --real hands64 --synthetic F/synthetic-projected-4 --percent 100 --control duplicate --copies F/copies-projected-4 --seed 5 --out F/arm-100-both-duplicate-projected-4
xrayaug augment --real hands64 --synthetic F/synthetic-projected-5 --percent 100 --copies F/copies-projected-5 --seed 5 --out F/arm-100-both-projected-5
xrayaug augment --real hands64 --synthetic F/synthetic-projected-5 --percent 100 --control duplicate --copies F/copies-projected-5 --seed 5 --out F/arm-100-both-duplicate-projected-5
xrayaug augment --real hands64 --synthetic F/synthetic --percent 100 --copies F/copies --synthetic-only --seed 5 --out F/arm-100-both-only
xrayaug augment --real hands64 --synthetic F/synthetic --percent 100 --control duplicate --copies F/copies --synthetic-only --seed 5 --out F/arm-100-both-duplicate-only
xrayaug augment --real hands64 --synthetic F/synthetic-projected-2 --percent 100 --copies F/copies-projected-2 --synthetic-only --seed 5 --out F/arm-100-both-only-projected-2
xrayaug augment --real hands64 --synthetic F/synthetic-projected-2 --percent 100 --control duplicate --copies F/copies-projected-2 --synthetic-only --seed 5 --out F/arm-100-both-duplicate-only-projected-2
xrayaug augment --real hands64 --synthetic F/synthetic-projected-3 --percent 100 --copies F/copies-projected-3 --synthetic-only --seed 5 --out F/arm-100-both-only-projected-3
xrayaug augment --real hands64 --synthetic F/synthetic-projected-3 --percent 100 --control duplicate --copies F/copies-projected-3 --synthetic-only --seed 5 --out F/arm-100-both-duplicate-only-projected-3
xrayaug augment --real hands64 --synthetic F/synthetic-projected-4 --percent 100 --copies F/copies-projected-4 --synthetic-only --seed 5 --out F/arm-100-both-only-projected-4
xrayaug augment --real hands64 --synthetic F/synthetic-projected-4 --percent 100 --control duplicate --copies F/copies-projected-4 --synthetic-only --seed 5 --out F/arm-100-both-duplicate-only-projected-4
xrayaug augment --real hands64 --synthetic F/synthetic-projected-5 --percent 100 --copies F/copies-projected-5 --synthetic-only --seed 5 --out F/arm-100-both-only-projected-5
xrayaug augment --real hands64 --synthetic F/synthetic-projected-5 --percent 100 --control duplicate --copies F/copies-projected-5 --synthetic-only --seed 5 --out F/arm-100-both-duplicate-only-projected-5
xrayaug augment --real hands64 --synthetic F/synthetic --percent 100 --label balance --copies F/copies --seed 5 --out F/arm-100-balance
xrayaug augment --real hands64 --synthetic F/synthetic --percent 100 --label balance --control duplicate --copies F/copies --seed 5 --out F/arm-100-balance-duplicate
xrayaug augment --real hands64 --synthetic F/synthetic-projected-2 --percent 100 --label balance --copies F/copies-projected-2 --seed 5 --out F/arm-100-balance-projected-2
xrayaug augment --real hands64 --synthetic F/synthetic-projected-3 --percent 100 --label balance --copies F/copies-projected-3 --seed 5 --out F/arm-100-balance-projected-3
xrayaug augment --real hands64 --synthetic F/synthetic-projected-4 --percent 100 --label balance --copies F/copies-projected-4 --seed 5 --out F/arm-100-balance-projected-4
xrayaug augment --real hands64 --synthetic F/synthetic-projected-5 --percent 100 --label balance --copies F/copies-projected-5 --seed 5 --out F/arm-100-balance-projected-5
xrayaug train-classifier --data F/arm-0 --arch efficientnet_lite0 --size 128 --train head --seeds 5 --device cpu --out 'F/classifier-0-seed-{seed}'
xrayaug train-classifier --data F/arm-100-both --arch efficientnet_lite0 --size 128 --train head --device cpu --out F/classifier-100-both-seed-0
xrayaug train-classifier --data F/arm-100-both-duplicate --arch efficientnet_lite0 --size 128 --train head --device cpu --out F/classifier-100-both-duplicate-seed-0
xrayaug train-classifier --data F/arm-100-both-projected-2 --arch efficientnet_lite0 --size 128 --train head --device cpu --seed 1 --out F/classifier-100-both-projected-2-seed-1
xrayaug train-classifier --data F/arm-100-both-duplicate-projected-2 --arch efficientnet_lite0 --size 128 --train head --device cpu --seed 1 --out F/classifier-100-both-duplicate-projected-2-seed-1
xrayaug train-classifier --data F/arm-100-both-projected-3 --arch efficientnet_lite0 --size 128 --train head --device cpu --seed 2 --out F/classifier-100-both-projected-3-seed-2
xrayaug train-classifier --data F/arm-100-both-duplicate-projected-3 --arch efficientnet_lite0 --size 128 --train head --device cpu --seed 2 --out F/classifier-100-both-duplicate-projected-3-seed-2
xrayaug train-classifier --data F/arm-100-both-projected-4 --arch efficientnet_lite0 --size 128 --train head --device cpu --seed 3 --out F/classifier-100-both-projected-4-seed-3
xrayaug train-classifier --data F/arm-100-both-duplicate-projected-4 --arch efficientnet_lite0 --size 128 --train head --device cpu --seed 3 --out F/classifier-100-both-duplicate-projected-4-seed-3
xrayaug train-classifier --data F/arm-100-both-projected-5 --arch efficientnet_lite0 --size 128 --train head --device cpu --seed 4 --out F/classifier-100-both-projected-5-seed-4
xrayaug train-classifier --data F/arm-100-both-duplicate-projected-5 --arch efficientnet_lite0 --size 128 --train head --device cpu --seed 4 --out F/classifier-100-both-duplicate-projected-5-seed-4
xrayaug train-classifier --data F/arm-100-both-only --arch efficientnet_lite0 --size 128 --train head --device cpu --out F/classifier-100-both-only-seed-0
xrayaug train-classifier --data F/arm-0 --arch efficientnet_lite0 --init F/classifier-100-both-only-seed-0 --size 128 --train head --device cpu --out F/classifier-100-both-pretrain-seed-0
xrayaug train-classifier --data F/arm-100-both-duplicate-only --arch efficientnet_lite0 --size 128 --train head --device cpu --out F/classifier-100-both-duplicate-only-seed-0
xrayaug train-classifier --data F/arm-0 --arch efficientnet_lite0 --init F/classifier-100-both-duplicate-only-seed-0 --size 128 --train head --device cpu --out F/classifier-100-both-duplicate-pretrain-seed-0
xrayaug train-classifier --data F/arm-100-both-only-projected-2 --arch efficientnet_lite0 --size 128 --train head --device cpu --seed 1 --out F/classifier-100-both-only-projected-2-seed-1
xrayaug train-classifier --data F/arm-0 --arch efficientnet_lite0 --init F/classifier-100-both-only-projected-2-seed-1 --size 128 --train head --device cpu --seed 1 --out F/classifier-100-both-pretrain-projected-2-seed-1
xrayaug train-classifier --data F/arm-100-both-duplicate-only-projected-2 --arch efficientnet_lite0 --size 128 --train head --device cpu --seed 1 --out F/classifier-100-both-duplicate-only-projected-2-seed-1
xrayaug train-classifier --data F/arm-0 --arch efficientnet_lite0 --init F/classifier-100-both-duplicate-only-projected-2-seed-1 --size 128 --train head --device cpu --seed 1 --out F/classifier-100-both-duplicate-pretrain-projected-2-seed-1
xrayaug train-classifier --data F/arm-100-both-only-projected-3 --arch efficientnet_lite0 --size 128 --train head --device cpu --seed 2 --out F/classifier-100-both-only-projected-3-seed-2
xrayaug train-classifier --data F/arm-0 --arch efficientnet_lite0 --init F/classifier-100-both-only-projected-3-seed-2 --size 128 --train head --device cpu --seed 2 --out F/classifier-100-both-pretrain-projected-3-seed-2
xrayaug train-classifier --data F/arm-100-both-duplicate-only-projected-3 --arch efficientnet_lite0 --size 128 --train head --device cpu --seed 2 --out F/classifier-100-both-duplicate-only-projected-3-seed-2
xrayaug train-classifier --data F/arm-0 --arch efficientnet_lite0 --init F/classifier-100-both-duplicate-only-projected-3-seed-2 --size 128 --train head --device cpu --seed 2 --out F/classifier-100-both-duplicate-pretrain-projected-3-seed-2
xrayaug train-classifier --data F/arm-100-both-only-projected-4 --arch efficientnet_lite0 --size 128 --train head --device cpu --seed 3 --out F/classifier-100-both-only-projected-4-seed-3
xrayaug train-classifier --data F/arm-0 --arch efficientnet_lite0 --init F/classifier-100-both-only-projected-4-seed-3 --size 128 --train head --device cpu --seed 3 --out F/classifier-100-both-pretrain-projected-4-seed-3
xrayaug train-classifier --data F/arm-100-both-duplicate-only-projected-4 --arch efficientnet_lite0 --size 128 --train head --device cpu --seed 3 --out F/classifier-100-both-duplicate-only-projected-4-seed-3
xrayaug train-classifier --data F/arm-0 --arch efficientnet_lite0 --init F/classifier-100-both-duplicate-only-projected-4-seed-3 --size 128 --train head --device cpu --seed 3 --out F/classifier-100-both-duplicate-pretrain-projected-4-seed-3
xrayaug train-classifier --data F/arm-100-both-only-projected-5 --arch efficientnet_lite0 --size 128 --train head --device cpu --seed 4 --out F/classifier-100-both-only-projected-5-seed-4
xrayaug train-classifier --data F/arm-0 --arch efficientnet_lite0 --init F/classifier-100-both-only-projected-5-seed-4 --size 128 --train head --device cpu --seed 4 --out F/classifier-100-both-pretrain-projected-5-seed-4
xrayaug train-classifier --data F/arm-100-both-duplicate-only-projected-5 --arch efficientnet_lite0 --size 128 --train head --device cpu --seed 4 --out F/classifier-100-both-duplicate-only-projected-5-seed-4
xrayaug train-classifier --data F/arm-0 --arch efficientnet_lite0 --init F/classifier-100-both-duplicate-only-projected-5-seed-4 --size 128 --train head --device cpu --seed 4 --out F/classifier-100-both-duplicate-pretrain-projected-5-seed-4
xrayaug train-classifier --data F/arm-100-balance --arch efficientnet_lite0 --size 128 --train head --device cpu --out F/classifier-100-balance-seed-0
xrayaug train-classifier --data F/arm-100-balance-duplicate --arch efficientnet_lite0 --size 128 --train head --seeds 5 --device cpu --out 'F/classifier-100-balance-duplicate-seed-{seed}'
xrayaug train-classifier --data F/arm-100-balance-projected-2 --arch efficientnet_lite0 --size 128 --train head --device cpu --seed 1 --out F/classifier-100-balance-projected-2-seed-1
xrayaug train-classifier --data F/arm-100-balance-projected-3 --arch efficientnet_lite0 --size 128 --train head --device cpu --seed 2 --out F/classifier-100-balance-projected-3-seed-2
xrayaug train-classifier --data F/arm-100-balance-projected-4 --arch efficientnet_lite0 --size 128 --train head --device cpu --seed 3 --out F/classifier-100-balance-projected-4-seed-3
xrayaug train-classifier --data F/arm-100-balance-projected-5 --arch efficientnet_lite0 --size 128 --train head --device cpu --seed 4 --out F/classifier-100-balance-projected-5-seed-4
xrayaug evaluate F/classifier-0-seed-0 F/classifier-0-seed-1 F/classifier-0-seed-2 F/classifier-0-seed-3 F/classifier-0-seed-4 F/classifier-100-both-seed-0 F/classifier-100-both-duplicate-seed-0 F/classifier-100-both-projected-2-seed-1 F/classifier-100-both-duplicate-projected-2-seed-1 F/classifier-100-both-projected-3-seed-2 F/classifier-100-both-duplicate-projected-3-seed-2 F/classifier-100-both-projected-4-seed-3 F/classifier-100-both-duplicate-projected-4-seed-3 F/classifier-100-both-projected-5-seed-4 F/classifier-100-both-duplicate-projected-5-seed-4 F/classifier-100-both-only-seed-0 F/classifier-100-both-pretrain-seed-0 F/classifier-100-both-duplicate-only-seed-0 F/classifier-100-both-duplicate-pretrain-seed-0 F/classifier-100-both-only-projected-2-seed-1 F/classifier-100-both-pretrain-projected-2-seed-1 F/classifier-100-both-duplicate-only-projected-2-seed-1 F/classifier-100-both-duplicate-pretrain-projected-2-seed-1 F/classifier-100-both-only-projected-3-seed-2 F/classifier-100-both-pretrain-projected-3-seed-2 F/classifier-100-both-duplicate-only-projected-3-seed-2 F/classifier-100-both-duplicate-pretrain-projected-3-seed-2 F/classifier-100-both-only-projected-4-seed-3 F/classifier-100-both-pretrain-projected-4-seed-3 F/classifier-100-both-duplicate-only-projected-4-seed-3 F/classifier-100-both-duplicate-pretrain-projected-4-seed-3 F/classifier-100-both-only-projected-5-seed-4 F/classifier-100-both-pretrain-projected-5-seed-4 F/classifier-100-both-duplicate-only-projected-5-seed-4 F/classifier-100-both-duplicate-pretrain-projected-5-seed-4 F/classifier-100-balance-seed-0 F/classifier-100-balance-duplicate-seed-0 F/classifier-100-balance-duplicate-seed-1 F/classifier-100-balance-duplicate-seed-2 F/classifier-100-balance-duplicate-seed-3 F/classifier-100-balance-duplicate-seed-4 F/classifier-100-balance-projected-2-seed-1 F/classifier-100-balance-projected-3-seed-2 F/classifier-100-balance-projected-4-seed-3 F/classifier-100-balance-projected-5-seed-4 --fid F/fid-synthetic-rsna,F/fid-synthetic-projected-2-rsna,F/fid-synthetic-projected-3-rsna,F/fid-synthetic-projected-4-rsna,F/fid-synthetic-projected-5-rsna --against both --also exposure,cropping,blur --primary own --device cpu --overwrite --out F/evaluation
