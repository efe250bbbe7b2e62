#!/bin/sh
# The study, command by command; written by xrayaug 0.1.0.
set -e
xrayaug train-gan --data hands64 --arch projected --epochs 46 --conditional --device cpu --seed 5 --out L/gan
xrayaug sample --run L/gan --count 2600 --device cpu --seed 5 --out L/synthetic
xrayaug fid L/synthetic hands64 --features imagenet --device cpu --out L/fid-synthetic-rsna
xrayaug copies L/synthetic --real hands64 --features imagenet --device cpu --out L/copies
xrayaug augment --real hands64 --synthetic L/synthetic --percent 0 --copies L/copies --real-fraction 0.05 --seed 5 --out L/arm-0-real-0.05
xrayaug augment --real hands64 --synthetic L/synthetic --percent 0 --copies L/copies --real-fraction 0.05 --seed 6 --out L/arm-0-real-0.05-draw-2
xrayaug augment --real hands64 --synthetic L/synthetic --percent 0 --copies L/copies --real-fraction 0.05 --seed 7 --out L/arm-0-real-0.05-draw-3
xrayaug augment --real hands64 --synthetic L/synthetic --percent 0 --copies L/copies --real-fraction 0.05 --seed 8 --out L/arm-0-real-0.05-draw-4
xrayaug augment --real hands64 --synthetic L/synthetic --percent 0 --copies L/copies --real-fraction 0.05 --seed 9 --out L/arm-0-real-0.05-draw-5
xrayaug augment --real hands64 --synthetic L/synthetic --percent 0 --copies L/copies --real-fraction 0.05 --seed 10 --out L/arm-0-real-0.05-draw-6
xrayaug augment --real hands64 --synthetic L/synthetic --percent 0 --copies L/copies --real-fraction 0.05 --seed 11 --out L/arm-0-real-0.05-draw-7
xrayaug augment --real hands64 --synthetic L/synthetic --percent 0 --copies L/copies --real-fraction 0.05 --seed 12 --out L/arm-0-real-0.05-draw-8
xrayaug augment --real hands64 --synthetic L/synthetic --percent 0 --copies L/copies --real-fraction 0.05 --seed 13 --out L/arm-0-real-0.05-draw-9
xrayaug augment --real hands64 --synthetic L/synthetic --percent 0 --copies L/copies --real-fraction 0.05 --seed 14 --out L/arm-0-real-0.05-draw-10
xrayaug augment --real hands64 --synthetic L/synthetic --percent 0 --copies L/copies --real-fraction 0.05 --seed 15 --out L/arm-0-real-0.05-draw-11
xrayaug augment --real hands64 --synthetic L/synthetic --percent 0 --copies L/copies --real-fraction 0.05 --seed 16 --out L/arm-0-real-0.05-draw-12
xrayaug augment --real hands64 --synthetic L/synthetic --percent 0 --copies L/copies --real-fraction 0.05 --seed 17 --out L/arm-0-real-0.05-draw-13
xrayaug augment --real hands64 --synthetic L/synthetic --percent 0 --copies L/copies --real-fraction 0.05 --seed 18 --out L/arm-0-real-0.05-draw-14
xrayaug augment --real hands64 --synthetic L/synthetic --percent 0 --copies L/copies --real-fraction 0.05 --seed 19 --out L/arm-0-real-0.05-draw-15
xrayaug augment --real hands64 --synthetic L/synthetic --percent 0 --copies L/copies --real-fraction 0.05 --seed 20 --out L/arm-0-real-0.05-draw-16
xrayaug augment --real hands64 --synthetic L/synthetic --percent 0 --copies L/copies --real-fraction 0.05 --seed 21 --out L/arm-0-real-0.05-draw-17
xrayaug augment --real hands64 --synthetic L/synthetic --percent 0 --copies L/copies --real-fraction 0.05 --seed 22 --out L/arm-0-real-0.05-draw-18
xrayaug augment --real hands64 --synthetic L/synthetic --percent 0 --copies L/copies --real-fraction 0.05 --seed 23 --out L/arm-0-real-0.05-draw-19
xrayaug augment --real hands64 --synthetic L/synthetic --percent 0 --copies L/copies --real-fraction 0.05 --seed 24 --out L/arm-0-real-0.05-draw-20
xrayaug augment --real hands64 --synthetic L/synthetic --percent 6000 --copies L/copies --real-fraction 0.05 --seed 5 --out L/arm-6000-both-real-0.05
xrayaug augment --real hands64 --synthetic L/synthetic --percent 6000 --copies L/copies --real-fraction 0.05 --seed 6 --out L/arm-6000-both-real-0.05-draw-2
xrayaug augment --real hands64 --synthetic L/synthetic --percent 6000 --copies L/copies --real-fraction 0.05 --seed 7 --out L/arm-6000-both-real-0.05-draw-3
xrayaug augment --real hands64 --synthetic L/synthetic --percent 6000 --copies L/copies --real-fraction 0.05 --seed 8 --out L/arm-6000-both-real-0.05-draw-4
xrayaug augment --real hands64 --synthetic L/synthetic --percent 6000 --copies L/copies --real-fraction 0.05 --seed 9 --out L/arm-6000-both-real-0.05-draw-5
xrayaug augment --real hands64 --synthetic L/synthetic --percent 6000 --copies L/copies --real-fraction 0.05 --seed 10 --out L/arm-6000-both-real-0.05-draw-6
xrayaug augment --real hands64 --synthetic L/synthetic --percent 6000 --copies L/copies --real-fraction 0.05 --seed 11 --out L/arm-6000-both-real-0.05-draw-7
xrayaug augment --real hands64 --synthetic L/synthetic --percent 6000 --copies L/copies --real-fraction 0.05 --seed 12 --out L/arm-6000-both-real-0.05-draw-8
xrayaug augment --real hands64 --synthetic L/synthetic --percent 6000 --copies L/copies --real-fraction 0.05 --seed 13 --out L/arm-6000-both-real-0.05-draw-9
xrayaug augment --real hands64 --synthetic L/synthetic --percent 6000 --copies L/copies --real-fraction 0.05 --seed 14 --out L/arm-6000-both-real-0.05-draw-10
xrayaug augment --real hands64 --synthetic L/synthetic --percent 6000 --copies L/copies --real-fraction 0.05 --seed 15 --out L/arm-6000-both-real-0.05-draw-11
xrayaug augment --real hands64 --synthetic L/synthetic --percent 6000 --copies L/copies --real-fraction 0.05 --seed 16 --out L/arm-6000-both-real-0.05-draw-12
xrayaug augment --real hands64 --synthetic L/synthetic --percent 6000 --copies L/copies --real-fraction 0.05 --seed 17 --out L/arm-6000-both-real-0.05-draw-13
xrayaug augment --real hands64 --synthetic L/synthetic --percent 6000 --copies L/copies --real-fraction 0.05 --seed 18 --out L/arm-6000-both-real-0.05-draw-14
xrayaug augment --real hands64 --synthetic L/synthetic --percent 6000 --copies L/copies --real-fraction 0.05 --seed 19 --out L/arm-6000-both-real-0.05-draw-15
xrayaug augment --real hands64 --synthetic L/synthetic --percent 6000 --copies L/copies --real-fraction 0.05 --seed 20 --out L/arm-6000-both-real-0.05-draw-16
xrayaug augment --real hands64 --synthetic L/synthetic --percent 6000 --copies L/copies --real-fraction 0.05 --seed 21 --out L/arm-6000-both-real-0.05-draw-17
xrayaug augment --real hands64 --synthetic L/synthetic --percent 6000 --copies L/copies --real-fraction 0.05 --seed 22 --out L/arm-6000-both-real-0.05-draw-18
xrayaug augment --real hands64 --synthetic L/synthetic --percent 6000 --copies L/copies --real-fraction 0.05 --seed 23 --out L/arm-6000-both-real-0.05-draw-19
xrayaug augment --real hands64 --synthetic L/synthetic --percent 6000 --copies L/copies --real-fraction 0.05 --seed 24 --out L/arm-6000-both-real-0.05-draw-20
xrayaug augment --real hands64 --synthetic L/synthetic --percent 6000 --control duplicate --copies L/copies --real-fraction 0.05 --seed 5 --out L/arm-6000-both-duplicate-real-0.05
xrayaug augment --real hands64 --synthetic L/synthetic --percent 6000 --control duplicate --copies L/copies --real-fraction 0.05 --seed 6 --out L/arm-6000-both-duplicate-real-0.05-draw-2
xrayaug augment --real hands64 --synthetic L/synthetic --percent 6000 --control duplicate --copies L/copies --real-fraction 0.05 --seed 7 --out L/arm-6000-both-duplicate-real-0.05-draw-3
xrayaug augment --real hands64 --synthetic L/synthetic --percent 6000 --control duplicate --copies L/copies --real-fraction 0.05 --seed 8 --out L/arm-6000-both-duplicate-real-0.05-draw-4
xrayaug augment --real hands64 --synthetic L/synthetic --percent 6000 --control duplicate --copies L/copies --real-fraction 0.05 --seed 9 --out L/arm-6000-both-duplicate-real-0.05-draw-5
xrayaug augment --real hands64 --synthetic L/synthetic --percent 6000 --control duplicate --copies L/copies --real-fraction 0.05 --seed 10 --out L/arm-6000-both-duplicate-real-0.05-draw-6
xrayaug augment --real hands64 --synthetic L/synthetic --percent 6000 --control duplicate --copies L/copies --real-fraction 0.05 --seed 11 --out L/arm-6000-both-duplicate-real-0.05-draw-7
xrayaug augment --real hands64 --synthetic L/synthetic --percent 6000 --control duplicate --copies L/copies --real-fraction 0.05 --seed 12 --out L/arm-6000-both-duplicate-real-0.05-draw-8
xrayaug augment --real hands64 --synthetic L/synthetic --percent 6000 --control duplicate --copies L/copies --real-fraction 0.05 --seed 13 --out L/arm-6000-both-duplicate-real-0.05-draw-9
xrayaug augment --real hands64 --synthetic L/synthetic --percent 6000 --control duplicate --copies L/copies --real-fraction 0.05 --seed 14 --out L/arm-6000-both-duplicate-real-0.05-draw-10
xrayaug augment --real hands64 --synthetic L/synthetic --percent 6000 --control duplicate --copies L/copies --real-fraction 0.05 --seed 15 --out L/arm-6000-both-duplicate-real-0.05-draw-11
xrayaug augment --real hands64 --synthetic L/synthetic --percent 6000 --control duplicate --copies L/copies --real-fraction 0.05 --seed 16 --out L/arm-6000-both-duplicate-real-0.05-draw-12
xrayaug augment --real hands64 --synthetic L/synthetic --percent 6000 --control duplicate --copies L/copies --real-fraction 0.05 --seed 17 --out L/arm-6000-both-duplicate-real-0.05-draw-13
xrayaug augment --real hands64 --synthetic L/synthetic --percent 6000 --control duplicate --copies L/copies --real-fraction 0.05 --seed 18 --out L/arm-6000-both-duplicate-real-0.05-draw-14
xrayaug augment --real hands64 --synthetic L/synthetic --percent 6000 --control duplicate --copies L/copies --real-fraction 0.05 --seed 19 --out L/arm-6000-both-duplicate-real-0.05-draw-15
xrayaug augment --real hands64 --synthetic L/synthetic --percent 6000 --control duplicate --copies L/copies --real-fraction 0.05 --seed 20 --out L/arm-6000-both-duplicate-real-0.05-draw-16
xrayaug augment --real hands64 --synthetic L/synthetic --percent 6000 --control duplicate --copies L/copies --real-fraction 0.05 --seed 21 --out L/arm-6000-both-duplicate-real-0.05-draw-17
xrayaug augment --real hands64 --synthetic L/synthetic --percent 6000 --control duplicate --copies L/copies --real-fraction 0.05 --seed 22 --out L/arm-6000-both-duplicate-real-0.05-draw-18
xrayaug augment --real hands64 --synthetic L/synthetic --percent 6000 --control duplicate --copies L/copies --real-fraction 0.05 --seed 23 --out L/arm-6000-both-duplicate-real-0.05-draw-19
xrayaug augment --real hands64 --synthetic L/synthetic --percent 6000 --control duplicate --copies L/copies --real-fraction 0.05 --seed 24 --out L/arm-6000-both-duplicate-real-0.05-draw-20
xrayaug augment --real hands64 --synthetic L/synthetic --percent 0 --copies L/copies --real-fraction 0.1 --seed 5 --out L/arm-0-real-0.1
xrayaug augment --real hands64 --synthetic L/synthetic --percent 0 --copies L/copies --real-fraction 0.1 --seed 6 --out L/arm-0-real-0.1-draw-2
xrayaug augment --real hands64 --synthetic L/synthetic --percent 0 --copies L/copies --real-fraction 0.1 --seed 7 --out L/arm-0-real-0.1-draw-3
xrayaug augment --real hands64 --synthetic L/synthetic --percent 0 --copies L/copies --real-fraction 0.1 --seed 8 --out L/arm-0-real-0.1-draw-4
xrayaug augment --real hands64 --synthetic L/synthetic --percent 0 --copies L/copies --real-fraction 0.1 --seed 9 --out L/arm-0-real-0.1-draw-5
xrayaug augment --real hands64 --synthetic L/synthetic --percent 0 --copies L/copies --real-fraction 0.1 --seed 10 --out L/arm-0-real-0.1-draw-6
xrayaug augment --real hands64 --synthetic L/synthetic --percent 0 --copies L/copies --real-fraction 0.1 --seed 11 --out L/arm-0-real-0.1-draw-7
xrayaug augment --real hands64 --synthetic L/synthetic --percent 0 --copies L/copies --real-fraction 0.1 --seed 12 --out L/arm-0-real-0.1-draw-8
xrayaug augment --real hands64 --synthetic L/synthetic --percent 0 --copies L/copies --real-fraction 0.1 --seed 13 --out L/arm-0-real-0.1-draw-9
xrayaug augment --real hands64 --synthetic L/synthetic --percent 0 --copies L/copies --real-fraction 0.1 --seed 14 --out L/arm-0-real-0.1-draw-10
xrayaug augment --real hands64 --synthetic L/synthetic --percent 0 --copies L/copies --real-fraction 0.1 --seed 15 --out L/arm-0-real-0.1-draw-11
xrayaug augment --real hands64 --synthetic L/synthetic --percent 0 --copies L/copies --real-fraction 0.1 --seed 16 --out L/arm-0-real-0.1-draw-12
xrayaug augment --real hands64 --synthetic L/synthetic --percent 0 --copies L/copies --real-fraction 0.1 --seed 17 --out L/arm-0-real-0.1-draw-13
xrayaug augment --real hands64 --synthetic L/synthetic --percent 0 --copies L/copies --real-fraction 0.1 --seed 18 --out L/arm-0-real-0.1-draw-14
xrayaug augment --real hands64 --synthetic L/synthetic --percent 0 --copies L/copies --real-fraction 0.1 --seed 19 --out L/arm-0-real-0.1-draw-15
xrayaug augment --real hands64 --synthetic L/synthetic --percent 0 --copies L/copies --real-fraction 0.1 --seed 20 --out L/arm-0-real-0.1-draw-16
xrayaug augment --real hands64 --synthetic L/synthetic --percent 0 --copies L/copies --real-fraction 0.1 --seed 21 --out L/arm-0-real-0.1-draw-17
xrayaug augment --real hands64 --synthetic L/synthetic --percent 0 --copies L/copies --real-fraction 0.1 --seed 22 --out L/arm-0-real-0.1-draw-18
xrayaug augment --real hands64 --synthetic L/synthetic --percent 0 --copies L/copies --real-fraction 0.1 --seed 23 --out L/arm-0-real-0.1-draw-19
xrayaug augment --real hands64 --synthetic L/synthetic --percent 0 --copies L/copies --real-fraction 0.1 --seed 24 --out L/arm-0-real-0.1-draw-20
xrayaug augment --real hands64 --synthetic L/synthetic --percent 6000 --copies L/copies --real-fraction 0.1 --seed 5 --out L/arm-6000-both-real-0.1
xrayaug augment --real hands64 --synthetic L/synthetic --percent 6000 --copies L/copies --real-fraction 0.1 --seed 6 --out L/arm-6000-both-real-0.1-draw-2
xrayaug augment --real hands64 --synthetic L/synthetic --percent 6000 --copies L/copies --real-fraction 0.1 --seed 7 --out L/arm-6000-both-real-0.1-draw-3
xrayaug augment --real hands64 --synthetic L/synthetic --percent 6000 --copies L/copies --real-fraction 0.1 --seed 8 --out L/arm-6000-both-real-0.1-draw-4
xrayaug augment --real hands64 --synthetic L/synthetic --percent 6000 --copies L/copies --real-fraction 0.1 --seed 9 --out L/arm-6000-both-real-0.1-draw-5
xrayaug augment --real hands64 --synthetic L/synthetic --percent 6000 --copies L/copies --real-fraction 0.1 --seed 10 --out L/arm-6000-both-real-0.1-draw-6
xrayaug augment --real hands64 --synthetic L/synthetic --percent 6000 --copies L/copies --real-fraction 0.1 --seed 11 --out L/arm-6000-both-real-0.1-draw-7
xrayaug augment --real hands64 --synthetic L/synthetic --percent 6000 --copies L/copies --real-fraction 0.1 --seed 12 --out L/arm-6000-both-real-0.1-draw-8
xrayaug augment --real hands64 --synthetic L/synthetic --percent 6000 --copies L/copies --real-fraction 0.1 --seed 13 --out L/arm-6000-both-real-0.1-draw-9
xrayaug augment --real hands64 --synthetic L/synthetic --percent 6000 --copies L/copies --real-fraction 0.1 --seed 14 --out L/arm-6000-both-real-0.1-draw-10
xrayaug augment --real hands64 --synthetic L/synthetic --percent 6000 --copies L/copies --real-fraction 0.1 --seed 15 --out L/arm-6000-both-real-0.1-draw-11
xrayaug augment --real hands64 --synthetic L/synthetic --percent 6000 --copies L/copies --real-fraction 0.1 --seed 16 --out L/arm-6000-both-real-0.1-draw-12
xrayaug augment --real hands64 --synthetic L/synthetic --percent 6000 --copies L/copies --real-fraction 0.1 --seed 17 --out L/arm-6000-both-real-0.1-draw-13
xrayaug augment --real hands64 --synthetic L/synthetic --percent 6000 --copies L/copies --real-fraction 0.1 --seed 18 --out L/arm-6000-both-real-0.1-draw-14
xrayaug augment --real hands64 --synthetic L/synthetic --percent 6000 --copies L/copies --real-fraction 0.1 --seed 19 --out L/arm-6000-both-real-0.1-draw-15
xrayaug augment --real hands64 --synthetic L/synthetic --percent 6000 --copies L/copies --real-fraction 0.1 --seed 20 --out L/arm-6000-both-real-0.1-draw-16
xrayaug augment --real hands64 --synthetic L/synthetic --percent 6000 --copies L/copies --real-fraction 0.1 --seed 21 --out L/arm-6000-both-real-0.1-draw-17
xrayaug augment --real hands64 --synthetic L/synthetic --percent 6000 --copies L/copies --real-fraction 0.1 --seed 22 --out L/arm-6000-both-real-0.1-draw-18
xrayaug augment --real hands64 --synthetic L/synthetic --percent 6000 --copies L/copies --real-fraction 0.1 --seed 23 --out L/arm-6000-both-real-0.1-draw-19
xrayaug augment --real hands64 --synthetic L/synthetic --percent 6000 --copies L/copies --real-fraction 0.1 --seed 24 --out L/arm-6000-both-real-0.1-draw-20
xrayaug augment --real hands64 --synthetic L/synthetic --percent 6000 --control duplicate --copies L/copies --real-fraction 0.1 --seed 5 --out L/arm-6000-both-duplicate-real-0.1
xrayaug augment --real hands64 --synthetic L/synthetic --percent 6000 --control duplicate --copies L/copies --real-fraction 0.1 --seed 6 --out L/arm-6000-both-duplicate-real-0.1-draw-2
xrayaug augment --real hands64 --synthetic L/synthetic --percent 6000 --control duplicate --copies L/copies --real-fraction 0.1 --seed 7 --out L/arm-6000-both-duplicate-real-0.1-draw-3
xrayaug augment --real hands64 --synthetic L/synthetic --percent 6000 --control duplicate --copies L/copies --real-fraction 0.1 --seed 8 --out L/arm-6000-both-duplicate-real-0.1-draw-4
xrayaug augment --real hands64 --synthetic L/synthetic --percent 6000 --control duplicate --copies L/copies --real-fraction 0.1 --seed 9 --out L/arm-6000-both-duplicate-real-0.1-draw-5
xrayaug augment --real hands64 --synthetic L/synthetic --percent 6000 --control duplicate --copies L/copies --real-fraction 0.1 --seed 10 --out L/arm-6000-both-duplicate-real-0.1-draw-6
xrayaug augment --real hands64 --synthetic L/synthetic --percent 6000 --control duplicate --copies L/copies --real-fraction 0.1 --seed 11 --out L/arm-6000-both-duplicate-real-0.1-draw-7
xrayaug augment --real hands64 --synthetic L/synthetic --percent 6000 --control duplicate --copies L/copies --real-fraction 0.1 --seed 12 --out L/arm-6000-both-duplicate-real-0.1-draw-8
xrayaug augment --real hands64 --synthetic L/synthetic --percent 6000 --control duplicate --copies L/copies --real-fraction 0.1 --seed 13 --out L/arm-6000-both-duplicate-real-0.1-draw-9
xrayaug augment --real hands64 --synthetic L/synthetic --percent 6000 --control duplicate --copies L/copies --real-fraction 0.1 --seed 14 --out L/arm-6000-both-duplicate-real-0.1-draw-10
xrayaug augment --real hands64 --synthetic L/synthetic --percent 6000 --control duplicate --copies L/copies --real-fraction 0.1 --seed 15 --out L/arm-6000-both-duplicate-real-0.1-draw-11
xrayaug augment --real hands64 --synthetic L/synthetic --percent 6000 --control duplicate --copies L/copies --real-fraction 0.1 --seed 16 --out L/arm-6000-both-duplicate-real-0.1-draw-12
xrayaug augment --real hands64 --synthetic L/synthetic --percent 6000 --control duplicate --copies L/copies --real-fraction 0.1 --seed 17 --out L/arm-6000-both-duplicate-real-0.1-draw-13
xrayaug augment --real hands64 --synthetic L/synthetic --percent 6000 --control duplicate --copies L/copies --real-fraction 0.1 --seed 18 --out L/arm-6000-both-duplicate-real-0.1-draw-14
xrayaug augment --real hands64 --synthetic L/synthetic --percent 6000 --control duplicate --copies L/copies --real-fraction 0.1 --seed 19 --out L/arm-6000-both-duplicate-real-0.1-draw-15
xrayaug augment --real hands64 --synthetic L/synthetic --percent 6000 --control duplicate --copies L/copies --real-fraction 0.1 --seed 20 --out L/arm-6000-both-duplicate-real-0.1-draw-16
xrayaug augment --real hands64 --synthetic L/synthetic --percent 6000 --control duplicate --copies L/copies --real-fraction 0.1 --seed 21 --out L/arm-6000-both-duplicate-real-0.1-draw-17
xrayaug augment --real hands64 --synthetic L/synthetic --percent 6000 --control duplicate --copies L/copies --real-fraction 0.1 --seed 22 --out L/arm-6000-both-duplicate-real-0.1-draw-18
xrayaug augment --real hands64 --synthetic L/synthetic --percent 6000 --control duplicate --copies L/copies --real-fraction 0.1 --seed 23 --out L/arm-6000-both-duplicate-real-0.1-draw-19
xrayaug augment --real hands64 --synthetic L/synthetic --percent 6000 --control duplicate --copies L/copies --real-fraction 0.1 --seed 24 --out L/arm-6000-both-duplicate-real-0.1-draw-20
xrayaug train-classifier --data L/arm-0-real-0.05 --arch efficientnet_lite0 --size 128 --train head --device cpu --out L/classifier-0-real-0.05-seed-0
xrayaug train-classifier --data L/arm-0-real-0.05-draw-2 --arch efficientnet_lite0 --size 128 --train head --device cpu --seed 1 --out L/classifier-0-real-0.05-draw-2-seed-1
xrayaug train-classifier --data L/arm-0-real-0.05-draw-3 --arch efficientnet_lite0 --size 128 --train head --device cpu --seed 2 --out L/classifier-0-real-0.05-draw-3-seed-2
xrayaug train-classifier --data L/arm-0-real-0.05-draw-4 --arch efficientnet_lite0 --size 128 --train head --device cpu --seed 3 --out L/classifier-0-real-0.05-draw-4-seed-3
xrayaug train-classifier --data L/arm-0-real-0.05-draw-5 --arch efficientnet_lite0 --size 128 --train head --device cpu --seed 4 --out L/classifier-0-real-0.05-draw-5-seed-4
xrayaug train-classifier --data L/arm-0-real-0.05-draw-6 --arch efficientnet_lite0 --size 128 --train head --device cpu --seed 5 --out L/classifier-0-real-0.05-draw-6-seed-5
xrayaug train-classifier --data L/arm-0-real-0.05-draw-7 --arch efficientnet_lite0 --size 128 --train head --device cpu --seed 6 --out L/classifier-0-real-0.05-draw-7-seed-6
xrayaug train-classifier --data L/arm-0-real-0.05-draw-8 --arch efficientnet_lite0 --size 128 --train head --device cpu --seed 7 --out L/classifier-0-real-0.05-draw-8-seed-7
xrayaug train-classifier --data L/arm-0-real-0.05-draw-9 --arch efficientnet_lite0 --size 128 --train head --device cpu --seed 8 --out L/classifier-0-real-0.05-draw-9-seed-8
xrayaug train-classifier --data L/arm-0-real-0.05-draw-10 --arch efficientnet_lite0 --size 128 --train head --device cpu --seed 9 --out L/classifier-0-real-0.05-draw-10-seed-9
xrayaug train-classifier --data L/arm-0-real-0.05-draw-11 --arch efficientnet_lite0 --size 128 --train head --device cpu --seed 10 --out L/classifier-0-real-0.05-draw-11-seed-10
xrayaug train-classifier --data L/arm-0-real-0.05-draw-12 --arch efficientnet_lite0 --size 128 --train head --device cpu --seed 11 --out L/classifier-0-real-0.05-draw-12-seed-11
xrayaug train-classifier --data L/arm-0-real-0.05-draw-13 --arch efficientnet_lite0 --size 128 --train head --device cpu --seed 12 --out L/classifier-0-real-0.05-draw-13-seed-12
xrayaug train-classifier --data L/arm-0-real-0.05-draw-14 --arch efficientnet_lite0 --size 128 --train head --device cpu --seed 13 --out L/classifier-0-real-0.05-draw-14-seed-13
xrayaug train-classifier --data L/arm-0-real-0.05-draw-15 --arch efficientnet_lite0 --size 128 --train head --device cpu --seed 14 --out L/classifier-0-real-0.05-draw-15-seed-14
xrayaug train-classifier --data L/arm-0-real-0.05-draw-16 --arch efficientnet_lite0 --size 128 --train head --device cpu --seed 15 --out L/classifier-0-real-0.05-draw-16-seed-15
xrayaug train-classifier --data L/arm-0-real-0.05-draw-17 --arch efficientnet_lite0 --size 128 --train head --device cpu --seed 16 --out L/classifier-0-real-0.05-draw-17-seed-16
xrayaug train-classifier --data L/arm-0-real-0.05-draw-18 --arch efficientnet_lite0 --size 128 --train head --device cpu --seed 17 --out L/classifier-0-real-0.05-draw-18-seed-17
xrayaug train-classifier --data L/arm-0-real-0.05-draw-19 --arch efficientnet_lite0 --size 128 --train head --device cpu --seed 18 --out L/classifier-0-real-0.05-draw-19-seed-18
xrayaug train-classifier --data L/arm-0-real-0.05-draw-20 --arch efficientnet_lite0 --size 128 --train head --device cpu --seed 19 --out L/classifier-0-real-0.05-draw-20-seed-19
xrayaug train-classifier --data L/arm-6000-both-real-0.05 --arch efficientnet_lite0 --size 128 --train head --device cpu --out L/classifier-6000-both-real-0.05-seed-0
xrayaug train-classifier --data L/arm-6000-both-real-0.05-draw-2 --arch efficientnet_lite0 --size 128 --train head --device cpu --seed 1 --out L/classifier-6000-both-real-0.05-draw-2-seed-1
xrayaug train-classifier --data L/arm-6000-both-real-0.05-draw-3 --arch efficientnet_lite0 --size 128 --train head --device cpu --seed 2 --out L/classifier-6000-both-real-0.05-draw-3-seed-2
xrayaug train-classifier --data L/arm-6000-both-real-0.05-draw-4 --arch efficientnet_lite0 --size 128 --train head --device cpu --seed 3 --out L/classifier-6000-both-real-0.05-draw-4-seed-3
xrayaug train-classifier --data L/arm-6000-both-real-0.05-draw-5 --arch efficientnet_lite0 --size 128 --train head --device cpu --seed 4 --out L/classifier-6000-both-real-0.05-draw-5-seed-4
xrayaug train-classifier --data L/arm-6000-both-real-0.05-draw-6 --arch efficientnet_lite0 --size 128 --train head --device cpu --seed 5 --out L/classifier-6000-both-real-0.05-draw-6-seed-5
xrayaug train-classifier --data L/arm-6000-both-real-0.05-draw-7 --arch efficientnet_lite0 --size 128 --train head --device cpu --seed 6 --out L/classifier-6000-both-real-0.05-draw-7-seed-6
xrayaug train-classifier --data L/arm-6000-both-real-0.05-draw-8 --arch efficientnet_lite0 --size 128 --train head --device cpu --seed 7 --out L/classifier-6000-both-real-0.05-draw-8-seed-7
xrayaug train-classifier --data L/arm-6000-both-real-0.05-draw-9 --arch efficientnet_lite0 --size 128 --train head --device cpu --seed 8 --out L/classifier-6000-both-real-0.05-draw-9-seed-8
xrayaug train-classifier --data L/arm-6000-both-real-0.05-draw-10 --arch efficientnet_lite0 --size 128 --train head --device cpu --seed 9 --out L/classifier-6000-both-real-0.05-draw-10-seed-9
xrayaug train-classifier --data L/arm-6000-both-real-0.05-draw-11 --arch efficientnet_lite0 --size 128 --train head --device cpu --seed 10 --out L/classifier-6000-both-real-0.05-draw-11-seed-10
xrayaug train-classifier --data L/arm-6000-both-real-0.05-draw-12 --arch efficientnet_lite0 --size 128 --train head --device cpu --seed 11 --out L/classifier-6000-both-real-0.05-draw-12-seed-11
xrayaug train-classifier --data L/arm-6000-both-real-0.05-draw-13 --arch efficientnet_lite0 --size 128 --train head --device cpu --seed 12 --out L/classifier-6000-both-real-0.05-draw-13-seed-12
xrayaug train-classifier --data L/arm-6000-both-real-0.05-draw-14 --arch efficientnet_lite0 --size 128 --train head --device cpu --seed 13 --out L/classifier-6000-both-real-0.05-draw-14-seed-13
xrayaug train-classifier --data L/arm-6000-both-real-0.05-draw-15 --arch efficientnet_lite0 --size 128 --train head --device cpu --seed 14 --out L/classifier-6000-both-real-0.05-draw-15-seed-14
xrayaug train-classifier --data L/arm-6000-both-real-0.05-draw-16 --arch efficientnet_lite0 --size 128 --train head --device cpu --seed 15 --out L/classifier-6000-both-real-0.05-draw-16-seed-15
xrayaug train-classifier --data L/arm-6000-both-real-0.05-draw-17 --arch efficientnet_lite0 --size 128 --train head --device cpu --seed 16 --out L/classifier-6000-both-real-0.05-draw-17-seed-16
xrayaug train-classifier --data L/arm-6000-both-real-0.05-draw-18 --arch efficientnet_lite0 --size 128 --train head --device cpu --seed 17 --out L/classifier-6000-both-real-0.05-draw-18-seed-17
xrayaug train-classifier --data L/arm-6000-both-real-0.05-draw-19 --arch efficientnet_lite0 --size 128 --train head --device cpu --seed 18 --out L/classifier-6000-both-real-0.05-draw-19-seed-18
xrayaug train-classifier --data L/arm-6000-both-real-0.05-draw-20 --arch efficientnet_lite0 --size 128 --train head --device cpu --seed 19 --out L/classifier-6000-both-real-0.05-draw-20-seed-19
xrayaug train-classifier --data L/arm-6000-both-duplicate-real-0.05 --arch efficientnet_lite0 --size 128 --train head --device cpu --out L/classifier-6000-both-duplicate-real-0.05-seed-0
xrayaug train-classifier --data L/arm-6000-both-duplicate-real-0.05-draw-2 --arch efficientnet_lite0 --size 128 --train head --device cpu --seed 1 --out L/classifier-6000-both-duplicate-real-0.05-draw-2-seed-1
xrayaug train-classifier --data L/arm-6000-both-duplicate-real-0.05-draw-3 --arch efficientnet_lite0 --size 128 --train head --device cpu --seed 2 --out L/classifier-6000-both-duplicate-real-0.05-draw-3-seed-2
xrayaug train-classifier --data L/arm-6000-both-duplicate-real-0.05-draw-4 --arch efficientnet_lite0 --size 128 --train head --device cpu --seed 3 --out L/classifier-6000-both-duplicate-real-0.05-draw-4-seed-3
xrayaug train-classifier --data L/arm-6000-both-duplicate-real-0.05-draw-5 --arch efficientnet_lite0 --size 128 --train head --device cpu --seed 4 --out L/classifier-6000-both-duplicate-real-0.05-draw-5-seed-4
xrayaug train-classifier --data L/arm-6000-both-duplicate-real-0.05-draw-6 --arch efficientnet_lite0 --size 128 --train head --device cpu --seed 5 --out L/classifier-6000-both-duplicate-real-0.05-draw-6-seed-5
xrayaug train-classifier --data L/arm-6000-both-duplicate-real-0.05-draw-7 --arch efficientnet_lite0 --size 128 --train head --device cpu --seed 6 --out L/classifier-6000-both-duplicate-real-0.05-draw-7-seed-6
xrayaug train-classifier --data L/arm-6000-both-duplicate-real-0.05-draw-8 --arch efficientnet_lite0 --size 128 --train head --device cpu --seed 7 --out L/classifier-6000-both-duplicate-real-0.05-draw-8-seed-7
xrayaug train-classifier --data L/arm-6000-both-duplicate-real-0.05-draw-9 --arch efficientnet_lite0 --size 128 --train head --device cpu --seed 8 --out L/classifier-6000-both-duplicate-real-0.05-draw-9-seed-8
xrayaug train-classifier --data L/arm-6000-both-duplicate-real-0.05-draw-10 --arch efficientnet_lite0 --size 128 --train head --device cpu --seed 9 --out L/classifier-6000-both-duplicate-real-0.05-draw-10-seed-9
xrayaug train-classifier --data L/arm-6000-both-duplicate-real-0.05-draw-11 --arch efficientnet_lite0 --size 128 --train head --device cpu --seed 10 --out L/classifier-6000-both-duplicate-real-0.05-draw-11-seed-10
xrayaug train-classifier --data L/arm-6000-both-duplicate-real-0.05-draw-12 --arch efficientnet_lite0 --size 128 --train head --device cpu --seed 11 --out L/classifier-6000-both-duplicate-real-0.05-draw-12-seed-11
xrayaug train-classifier --data L/arm-6000-both-duplicate-real-0.05-draw-13 --arch efficientnet_lite0 --size 128 --train head --device cpu --seed 12 --out L/classifier-6000-both-duplicate-real-0.05-draw-13-seed-12
xrayaug train-classifier --data L/arm-6000-both-duplicate-real-0.05-draw-14 --arch efficientnet_lite0 --size 128 --train head --device cpu --seed 13 --out L/classifier-6000-both-duplicate-real-0.05-draw-14-seed-13
xrayaug train-classifier --data L/arm-6000-both-duplicate-real-0.05-draw-15 --arch efficientnet_lite0 --size 128 --train head --device cpu --seed 14 --out L/classifier-6000-both-duplicate-real-0.05-draw-15-seed-14
xrayaug train-classifier --data L/arm-6000-both-duplicate-real-0.05-draw-16 --arch efficientnet_lite0 --size 128 --train head --device cpu --seed 15 --out L/classifier-6000-both-duplicate-real-0.05-draw-16-seed-15
xrayaug train-classifier --data L/arm-6000-both-duplicate-real-0.05-draw-17 --arch efficientnet_lite0 --size 128 --train head --device cpu --seed 16 --out L/classifier-6000-both-duplicate-real-0.05-draw-17-seed-16
xrayaug train-classifier --data L/arm-6000-both-duplicate-real-0.05-draw-18 --arch efficientnet_lite0 --size 128 --train head --device cpu --seed 17 --out L/classifier-6000-both-duplicate-real-0.05-draw-18-seed-17
xrayaug train-classifier --data L/arm-6000-both-duplicate-real-0.05-draw-19 --arch efficientnet_lite0 --size 128 --train head --device cpu --seed 18 --out L/classifier-6000-both-duplicate-real-0.05-draw-19-seed-18
xrayaug train-classifier --data L/arm-6000-both-duplicate-real-0.05-draw-20 --arch efficientnet_lite0 --size 128 --train head --device cpu --seed 19 --out L/classifier-6000-both-duplicate-real-0.05-draw-20-seed-19
xrayaug train-classifier --data L/arm-0-real-0.1 --arch efficientnet_lite0 --size 128 --train head --device cpu --out L/classifier-0-real-0.1-seed-0
xrayaug train-classifier --data L/arm-0-real-0.1-draw-2 --arch efficientnet_lite0 --size 128 --train head --device cpu --seed 1 --out L/classifier-0-real-0.1-draw-2-seed-1
xrayaug train-classifier --data L/arm-0-real-0.1-draw-3 --arch efficientnet_lite0 --size 128 --train head --device cpu --seed 2 --out L/classifier-0-real-0.1-draw-3-seed-2
xrayaug train-classifier --data L/arm-0-real-0.1-draw-4 --arch efficientnet_lite0 --size 128 --train head --device cpu --seed 3 --out L/classifier-0-real-0.1-draw-4-seed-3
xrayaug train-classifier --data L/arm-0-real-0.1-draw-5 --arch efficientnet_lite0 --size 128 --train head --device cpu --seed 4 --out L/classifier-0-real-0.1-draw-5-seed-4
xrayaug train-classifier --data L/arm-0-real-0.1-draw-6 --arch efficientnet_lite0 --size 128 --train head --device cpu --seed 5 --out L/classifier-0-real-0.1-draw-6-seed-5
xrayaug train-classifier --data L/arm-0-real-0.1-draw-7 --arch efficientnet_lite0 --size 128 --train head --device cpu --seed 6 --out L/classifier-0-real-0.1-draw-7-seed-6
xrayaug train-classifier --data L/arm-0-real-0.1-draw-8 --arch efficientnet_lite0 --size 128 --train head --device cpu --seed 7 --out L/classifier-0-real-0.1-draw-8-seed-7
xrayaug train-classifier --data L/arm-0-real-0.1-draw-9 --arch efficientnet_lite0 --size 128 --train head --device cpu --seed 8 --out L/classifier-0-real-0.1-draw-9-seed-8
xrayaug train-classifier --data L/arm-0-real-0.1-draw-10 --arch efficientnet_lite0 --size 128 --train head --device cpu --seed 9 --out L/classifier-0-real-0.1-draw-10-seed-9
xrayaug train-classifier --data L/arm-0-real-0.1-draw-11 --arch efficientnet_lite0 --size 128 --train head --device cpu --seed 10 --out L/classifier-0-real-0.1-draw-11-seed-10
xrayaug train-classifier --data L/arm-0-real-0.1-draw-12 --arch efficientnet_lite0 --size 128 --train head --device cpu --seed 11 --out L/classifier-0-real-0.1-draw-12-seed-11
xrayaug train-classifier --data L/arm-0-real-0.1-draw-13 --arch efficientnet_lite0 --size 128 --train head --device cpu --seed 12 --out L/classifier-0-real-0.1-draw-13-seed-12
xrayaug train-classifier --data L/arm-0-real-0.1-draw-14 --arch efficientnet_lite0 --size 128 --train head --device cpu --seed 13 --out L/classifier-0-real-0.1-draw-14-seed-13
xrayaug train-classifier --data L/arm-0-real-0.1-draw-15 --arch efficientnet_lite0 --size 128 --train head --device cpu --seed 14 --out L/classifier-0-real-0.1-draw-15-seed-14
xrayaug train-classifier --data L/arm-0-real-0.1-draw-16 --arch efficientnet_lite0 --size 128 --train head --device cpu --seed 15 --out L/classifier-0-real-0.1-draw-16-seed-15
xrayaug train-classifier --data L/arm-0-real-0.1-draw-17 --arch efficientnet_lite0 --size 128 --train head --device cpu --seed 16 --out L/classifier-0-real-0.1-draw-17-seed-16
xrayaug train-classifier --data L/arm-0-real-0.1-draw-18 --arch efficientnet_lite0 --size 128 --train head --device cpu --seed 17 --out L/classifier-0-real-0.1-draw-18-seed-17
xrayaug train-classifier --data L/arm-0-real-0.1-draw-19 --arch efficientnet_lite0 --size 128 --train head --device cpu --seed 18 --out L/classifier-0-real-0.1-draw-19-seed-18
xrayaug train-classifier --data L/arm-0-real-0.1-draw-20 --arch efficientnet_lite0 --size 128 --train head --device cpu --seed 19 --out L/classifier-0-real-0.1-draw-20-seed-19
xrayaug train-classifier --data L/arm-6000-both-real-0.1 --arch efficientnet_lite0 --size 128 --train head --device cpu --out L/classifier-6000-both-real-0.1-seed-0
xrayaug train-classifier --data L/arm-6000-both-real-0.1-draw-2 --arch efficientnet_lite0 --size 128 --train head --device cpu --seed 1 --out L/classifier-6000-both-real-0.1-draw-2-seed-1
xrayaug train-classifier --data L/arm-6000-both-real-0.1-draw-3 --arch efficientnet_lite0 --size 128 --train head --device cpu --seed 2 --out L/classifier-6000-both-real-0.1-draw-3-seed-2
xrayaug train-classifier --data L/arm-6000-both-real-0.1-draw-4 --arch efficientnet_lite0 --size 128 --train head --device cpu --seed 3 --out L/classifier-6000-both-real-0.1-draw-4-seed-3
xrayaug train-classifier --data L/arm-6000-both-real-0.1-draw-5 --arch efficientnet_lite0 --size 128 --train head --device cpu --seed 4 --out L/classifier-6000-both-real-0.1-draw-5-seed-4
xrayaug train-classifier --data L/arm-6000-both-real-0.1-draw-6 --arch efficientnet_lite0 --size 128 --train head --device cpu --seed 5 --out L/classifier-6000-both-real-0.1-draw-6-seed-5
xrayaug train-classifier --data L/arm-6000-both-real-0.1-draw-7 --arch efficientnet_lite0 --size 128 --train head --device cpu --seed 6 --out L/classifier-6000-both-real-0.1-draw-7-seed-6
xrayaug train-classifier --data L/arm-6000-both-real-0.1-draw-8 --arch efficientnet_lite0 --size 128 --train head --device cpu --seed 7 --out L/classifier-6000-both-real-0.1-draw-8-seed-7
xrayaug train-classifier --data L/arm-6000-both-real-0.1-draw-9 --arch efficientnet_lite0 --size 128 --train head --device cpu --seed 8 --out L/classifier-6000-both-real-0.1-draw-9-seed-8
xrayaug train-classifier --data L/arm-6000-both-real-0.1-draw-10 --arch efficientnet_lite0 --size 128 --train head --device cpu --seed 9 --out L/classifier-6000-both-real-0.1-draw-10-seed-9
xrayaug train-classifier --data L/arm-6000-both-real-0.1-draw-11 --arch efficientnet_lite0 --size 128 --train head --device cpu --seed 10 --out L/classifier-6000-both-real-0.1-draw-11-seed-10
xrayaug train-classifier --data L/arm-6000-both-real-0.1-draw-12 --arch efficientnet_lite0 --size 128 --train head --device cpu --seed 11 --out L/classifier-6000-both-real-0.1-draw-12-seed-11
xrayaug train-classifier --data L/arm-6000-both-real-0.1-draw-13 --arch efficientnet_lite0 --size 128 --train head --device cpu --seed 12 --out L/classifier-6000-both-real-0.1-draw-13-seed-12
xrayaug train-classifier --data L/arm-6000-both-real-0.1-draw-14 --arch efficientnet_lite0 --size 128 --train head --device cpu --seed 13 --out L/classifier-6000-both-real-0.1-draw-14-seed-13
xrayaug train-classifier --data L/arm-6000-both-real-0.1-draw-15 --arch efficientnet_lite0 --size 128 --train head --device cpu --seed 14 --out L/classifier-6000-both-real-0.1-draw-15-seed-14
xrayaug train-classifier --data L/arm-6000-both-real-0.1-draw-16 --arch efficientnet_lite0 --size 128 --train head --device cpu --seed 15 --out L/classifier-6000-both-real-0.1-draw-16-seed-15
xrayaug train-classifier --data L/arm-6000-both-real-0.1-draw-17 --arch efficientnet_lite0 --size 128 --train head --device cpu --seed 16 --out L/classifier-6000-both-real-0.1-draw-17-seed-16
xrayaug train-classifier --data L/arm-6000-both-real-0.1-draw-18 --arch efficientnet_lite0 --size 128 --train head --device cpu --seed 17 --out L/classifier-6000-both-real-0.1-draw-18-seed-17
xrayaug train-classifier --data L/arm-6000-both-real-0.1-draw-19 --arch efficientnet_lite0 --size 128 --train head --device cpu --seed 18 --out L/classifier-6000-both-real-0.1-draw-19-seed-18
xrayaug train-classifier --data L/arm-6000-both-real-0.1-draw-20 --arch efficientnet_lite0 --size 128 --train head --device cpu --seed 19 --out L/classifier-6000-both-real-0.1-draw-20-seed-19
xrayaug train-classifier --data L/arm-6000-both-duplicate-real-0.1 --arch efficientnet_lite0 --size 128 --train head --device cpu --out L/classifier-6000-both-duplicate-real-0.1-seed-0
xrayaug train-classifier --data L/arm-6000-both-duplicate-real-0.1-draw-2 --arch efficientnet_lite0 --size 128 --train head --device cpu --seed 1 --out L/classifier-6000-both-duplicate-real-0.1-draw-2-seed-1
xrayaug train-classifier --data L/arm-6000-both-duplicate-real-0.1-draw-3 --arch efficientnet_lite0 --size 128 --train head --device cpu --seed 2 --out L/classifier-6000-both-duplicate-real-0.1-draw-3-seed-2
xrayaug train-classifier --data L/arm-6000-both-duplicate-real-0.1-draw-4 --arch efficientnet_lite0 --size 128 --train head --device cpu --seed 3 --out L/classifier-6000-both-duplicate-real-0.1-draw-4-seed-3
xrayaug train-classifier --data L/arm-6000-both-duplicate-real-0.1-draw-5 --arch efficientnet_lite0 --size 128 --train head --device cpu --seed 4 --out L/classifier-6000-both-duplicate-real-0.1-draw-5-seed-4
xrayaug train-classifier --data L/arm-6000-both-duplicate-real-0.1-draw-6 --arch efficientnet_lite0 --size 128 --train head --device cpu --seed 5 --out L/classifier-6000-both-duplicate-real-0.1-draw-6-seed-5
xrayaug train-classifier --data L/arm-6000-both-duplicate-real-0.1-draw-7 --arch efficientnet_lite0 --size 128 --train head --device cpu --seed 6 --out L/classifier-6000-both-duplicate-real-0.1-draw-7-seed-6
xrayaug train-classifier --data L/arm-6000-both-duplicate-real-0.1-draw-8 --arch efficientnet_lite0 --size 128 --train head --device cpu --seed 7 --out L/classifier-6000-both-duplicate-real-0.1-draw-8-seed-7
xrayaug train-classifier --data L/arm-6000-both-duplicate-real-0.1-draw-9 --arch efficientnet_lite0 --size 128 --train head --device cpu --seed 8 --out L/classifier-6000-both-duplicate-real-0.1-draw-9-seed-8
xrayaug train-classifier --data L/arm-6000-both-duplicate-real-0.1-draw-10 --arch efficientnet_lite0 --size 128 --train head --device cpu --seed 9 --out L/classifier-6000-both-duplicate-real-0.1-draw-10-seed-9
xrayaug train-classifier --data L/arm-6000-both-duplicate-real-0.1-draw-11 --arch efficientnet_lite0 --size 128 --train head --device cpu --seed 10 --out L/classifier-6000-both-duplicate-real-0.1-draw-11-seed-10
xrayaug train-classifier --data L/arm-6000-both-duplicate-real-0.1-draw-12 --arch efficientnet_lite0 --size 128 --train head --device cpu --seed 11 --out L/classifier-6000-both-duplicate-real-0.1-draw-12-seed-11
xrayaug train-classifier --data L/arm-6000-both-duplicate-real-0.1-draw-13 --arch efficientnet_lite0 --size 128 --train head --device cpu --seed 12 --out L/classifier-6000-both-duplicate-real-0.1-draw-13-seed-12
xrayaug train-classifier --data L/arm-6000-both-duplicate-real-0.1-draw-14 --arch efficientnet_lite0 --size 128 --train head --device cpu --seed 13 --out L/classifier-6000-both-duplicate-real-0.1-draw-14-seed-13
xrayaug train-classifier --data L/arm-6000-both-duplicate-real-0.1-draw-15 --arch efficientnet_lite0 --size 128 --train head --device cpu --seed 14 --out L/classifier-6000-both-duplicate-real-0.1-draw-15-seed-14
xrayaug train-classifier --data L/arm-6000-both-duplicate-real-0.1-draw-16 --arch efficientnet_lite0 --size 128 --train head --device cpu --seed 15 --out L/classifier-6000-both-duplicate-real-0.1-draw-16-seed-15
xrayaug train-classifier --data L/arm-6000-both-duplicate-real-0.1-draw-17 --arch efficientnet_lite0 --size 128 --train head --device cpu --seed 16 --out L/classifier-6000-both-duplicate-real-0.1-draw-17-seed-16
xrayaug train-classifier --data L/arm-6000-both-duplicate-real-0.1-draw-18 --arch efficientnet_lite0 --size 128 --train head --device cpu --seed 17 --out L/classifier-6000-both-duplicate-real-0.1-draw-18-seed-17
xrayaug train-classifier --data L/arm-6000-both-duplicate-real-0.1-draw-19 --arch efficientnet_lite0 --size 128 --train head --device cpu --seed 18 --out L/classifier-6000-both-duplicate-real-0.1-draw-19-seed-18
xrayaug train-classifier --data L/arm-6000-both-duplicate-real-0.1-draw-20 --arch efficientnet_lite0 --size 128 --train head --device cpu --seed 19 --out L/classifier-6000-both-duplicate-real-0.1-draw-20-seed-19
xrayaug evaluate L/classifier-0-real-0.05-seed-0 L/classifier-0-real-0.05-draw-2-seed-1 L/classifier-0-real-0.05-draw-3-seed-2 L/classifier-0-real-0.05-draw-4-seed-3 L/classifier-0-real-0.05-draw-5-seed-4 L/classifier-0-real-0.05-draw-6-seed-5 L/classifier-0-real-0.05-draw-7-seed-6 L/classifier-0-real-0.05-draw-8-seed-7 L/classifier-0-real-0.05-draw-9-seed-8 L/classifier-0-real-0.05-draw-10-seed-9 L/classifier-0-real-0.05-draw-11-seed-10 L/classifier-0-real-0.05-draw-12-seed-11 L/classifier-0-real-0.05-draw-13-seed-12 L/classifier-0-real-0.05-draw-14-seed-13 L/classifier-0-real-0.05-draw-15-seed-14 L/classifier-0-real-0.05-draw-16-seed-15 L/classifier-0-real-0.05-draw-17-seed-16 L/classifier-0-real-0.05-draw-18-seed-17 L/classifier-0-real-0.05-draw-19-seed-18 L/classifier-0-real-0.05-draw-20-seed-19 L/classifier-6000-both-real-0.05-seed-0 L/classifier-6000-both-real-0.05-draw-2-seed-1 L/classifier-6000-both-real-0.05-draw-3-seed-2 L/classifier-6000-both-real-0.05-draw-4-seed-3 L/classifier-6000-both-real-0.05-draw-5-seed-4 L/classifier-6000-both-real-0.05-draw-6-seed-5 L/classifier-6000-both-real-0.05-draw-7-seed-6 L/classifier-6000-both-real-0.05-draw-8-seed-7 L/classifier-6000-both-real-0.05-draw-9-seed-8 L/classifier-6000-both-real-0.05-draw-10-seed-9 L/classifier-6000-both-real-0.05-draw-11-seed-10 L/classifier-6000-both-real-0.05-draw-12-seed-11 L/classifier-6000-both-real-0.05-draw-13-seed-12 L/classifier-6000-both-real-0.05-draw-14-seed-13 L/classifier-6000-both-real-0.05-draw-15-seed-14 L/classifier-6000-both-real-0.05-draw-16-seed-15 L/classifier-6000-both-real-0.05-draw-17-seed-16 L/classifier-6000-both-real-0.05-draw-18-seed-17 L/classifier-6000-both-real-0.05-draw-19-seed-18 L/classifier-6000-both-real-0.05-draw-20-seed-19 L/classifier-6000-both-duplicate-real-0.05-seed-0 L/classifier-6000-both-duplicate-real-0.05-draw-2-seed-1 L/classifier-6000-both-duplicate-real-0.05-draw-3-seed-2 L/classifier-6000-both-duplicate-real-0.05-draw-4-seed-3 L/classifier-6000-both-duplicate-real-0.05-draw-5-seed-4 L/classifier-6000-both-duplicate-real-0.05-draw-6-seed-5 L/classifier-6000-both-duplicate-real-0.05-draw-7-seed-6 L/classifier-6000-both-duplicate-real-0.05-draw-8-seed-7 L/classifier-6000-both-duplicate-real-0.05-draw-9-seed-8 L/classifier-6000-both-duplicate-real-0.05-draw-10-seed-9 L/classifier-6000-both-duplicate-real-0.05-draw-11-seed-10 L/classifier-6000-both-duplicate-real-0.05-draw-12-seed-11 L/classifier-6000-both-duplicate-real-0.05-draw-13-seed-12 L/classifier-6000-both-duplicate-real-0.05-draw-14-seed-13 L/classifier-6000-both-duplicate-real-0.05-draw-15-seed-14 L/classifier-6000-both-duplicate-real-0.05-draw-16-seed-15 L/classifier-6000-both-duplicate-real-0.05-draw-17-seed-16 L/classifier-6000-both-duplicate-real-0.05-draw-18-seed-17 L/classifier-6000-both-duplicate-real-0.05-draw-19-seed-18 L/classifier-6000-both-duplicate-real-0.05-draw-20-seed-19 L/classifier-0-real-0.1-seed-0 L/classifier-0-real-0.1-draw-2-seed-1 L/classifier-0-real-0.1-draw-3-seed-2 L/classifier-0-real-0.1-draw-4-seed-3 L/classifier-0-real-0.1-draw-5-seed-4 L/classifier-0-real-0.1-draw-6-seed-5 L/classifier-0-real-0.1-draw-7-seed-6 L/classifier-0-real-0.1-draw-8-seed-7 L/classifier-0-real-0.1-draw-9-seed-8 L/classifier-0-real-0.1-draw-10-seed-9 L/classifier-0-real-0.1-draw-11-seed-10 L/classifier-0-real-0.1-draw-12-seed-11 L/classifier-0-real-0.1-draw-13-seed-12 L/classifier-0-real-0.1-draw-14-seed-13 L/classifier-0-real-0.1-draw-15-seed-14 L/classifier-0-real-0.1-draw-16-seed-15 L/classifier-0-real-0.1-draw-17-seed-16 L/classifier-0-real-0.1-draw-18-seed-17 L/classifier-0-real-0.1-draw-19-seed-18 L/classifier-0-real-0.1-draw-20-seed-19 L/classifier-6000-both-real-0.1-seed-0 L/classifier-6000-both-real-0.1-draw-2-seed-1 L/classifier-6000-both-real-0.1-draw-3-seed-2 L/classifier-6000-both-real-0.1-draw-4-seed-3 L/classifier-6000-both-real-0.1-draw-5-seed-4 L/classifier-6000-both-real-0.1-draw-6-seed-5 L/classifier-6000-both-real-0.1-draw-7-seed-6 L/classifier-6000-both-real-0.1-draw-8-seed-7 L/classifier-6000-both-real-0.1-draw-9-seed-8 L/classifier-6000-both-real-0.1-draw-10-seed-9 L/classifier-6000-both-real-0.1-draw-11-seed-10 L/classifier-6000-both-real-0.1-draw-12-seed-11 L/classifier-6000-both-real-0.1-draw-13-seed-12 L/classifier-6000-both-real-0.1-draw-14-seed-13 L/classifier-6000-both-real-0.1-draw-15-seed-14 L/classifier-6000-both-real-0.1-draw-16-seed-15 L/classifier-6000-both-real-0.1-draw-17-seed-16 L/classifier-6000-both-real-0.1-draw-18-seed-17 L/classifier-6000-both-real-0.1-draw-19-seed-18 L/classifier-6000-both-real-0.1-draw-20-seed-19 L/classifier-6000-both-duplicate-real-0.1-seed-0 L/classifier-6000-both-duplicate-real-0.1-draw-2-seed-1 L/classifier-6000-both-duplicate-real-0.1-draw-3-seed-2 L/classifier-6000-both-duplicate-real-0.1-draw-4-seed-3 L/classifier-6000-both-duplicate-real-0.1-draw-5-seed-4 L/classifier-6000-both-duplicate-real-0.1-draw-6-seed-5 L/classifier-6000-both-duplicate-real-0.1-draw-7-seed-6 L/classifier-6000-both-duplicate-real-0.1-draw-8-seed-7 L/classifier-6000-both-duplicate-real-0.1-draw-9-seed-8 L/classifier-6000-both-duplicate-real-0.1-draw-10-seed-9 L/classifier-6000-both-duplicate-real-0.1-draw-11-seed-10 L/classifier-6000-both-duplicate-real-0.1-draw-12-seed-11 L/classifier-6000-both-duplicate-real-0.1-draw-13-seed-12 L/classifier-6000-both-duplicate-real-0.1-draw-14-seed-13 L/classifier-6000-both-duplicate-real-0.1-draw-15-seed-14 L/classifier-6000-both-duplicate-real-0.1-draw-16-seed-15 L/classifier-6000-both-duplicate-real-0.1-draw-17-seed-16 L/classifier-6000-both-duplicate-real-0.1-draw-18-seed-17 L/classifier-6000-both-duplicate-real-0.1-draw-19-seed-18 L/classifier-6000-both-duplicate-real-0.1-draw-20-seed-19 --fid L/fid-synthetic-rsna --against both --planted --device cpu --overwrite --out L/evaluation
