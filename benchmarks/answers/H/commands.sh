#!/bin/sh
# The study, command by command; written by xrayaug 0.1.0.
set -e
xrayaug fid same-images hands64 --features imagenet --device cpu --out H/fid-synthetic-projected-mura
xrayaug copies same-images --real hands64 --features imagenet --device cpu --out H/copies-projected
xrayaug augment --real hands64 --percent 0 --real-fraction 0.05 --seed 5 --out H/arm-0-real-0.05
xrayaug augment --real hands64 --percent 0 --real-fraction 0.05 --seed 6 --out H/arm-0-real-0.05-draw-2
xrayaug augment --real hands64 --percent 0 --real-fraction 0.05 --seed 7 --out H/arm-0-real-0.05-draw-3
xrayaug augment --real hands64 --percent 0 --real-fraction 0.05 --seed 8 --out H/arm-0-real-0.05-draw-4
xrayaug augment --real hands64 --percent 0 --real-fraction 0.05 --seed 9 --out H/arm-0-real-0.05-draw-5
xrayaug augment --real hands64 --synthetic same-images --percent 6000 --copies H/copies-projected --real-fraction 0.05 --seed 5 --out H/arm-6000-both-projected-real-0.05
xrayaug augment --real hands64 --synthetic same-images --percent 6000 --copies H/copies-projected --real-fraction 0.05 --seed 6 --out H/arm-6000-both-projected-real-0.05-draw-2
xrayaug augment --real hands64 --synthetic same-images --percent 6000 --copies H/copies-projected --real-fraction 0.05 --seed 7 --out H/arm-6000-both-projected-real-0.05-draw-3
xrayaug augment --real hands64 --synthetic same-images --percent 6000 --copies H/copies-projected --real-fraction 0.05 --seed 8 --out H/arm-6000-both-projected-real-0.05-draw-4
xrayaug augment --real hands64 --synthetic same-images --percent 6000 --copies H/copies-projected --real-fraction 0.05 --seed 9 --out H/arm-6000-both-projected-real-0.05-draw-5
xrayaug augment --real hands64 --synthetic same-images --percent 6000 --control duplicate --copies H/copies-projected --real-fraction 0.05 --seed 5 --out H/arm-6000-both-duplicate-real-0.05
xrayaug augment --real hands64 --synthetic same-images --percent 6000 --control duplicate --copies H/copies-projected --real-fraction 0.05 --seed 6 --out H/arm-6000-both-duplicate-real-0.05-draw-2
xrayaug augment --real hands64 --synthetic same-images --percent 6000 --control duplicate --copies H/copies-projected --real-fraction 0.05 --seed 7 --out H/arm-6000-both-duplicate-real-0.05-draw-3
xrayaug augment --real hands64 --synthetic same-images --percent 6000 --control duplicate --copies H/copies-projected --real-fraction 0.05 --seed 8 --out H/arm-6000-both-duplicate-real-0.05-draw-4
xrayaug augment --real hands64 --synthetic same-images --percent 6000 --control duplicate --copies H/copies-projected --real-fraction 0.05 --seed 9 --out H/arm-6000-both-duplicate-real-0.05-draw-5
xrayaug train-classifier --data H/arm-0-real-0.05 --arch efficientnet_lite0 --size 128 --epochs 10 --device cpu --out H/classifier-0-real-0.05-seed-0
xrayaug train-classifier --data H/arm-0-real-0.05-draw-2 --arch efficientnet_lite0 --size 128 --epochs 10 --device cpu --seed 1 --out H/classifier-0-real-0.05-draw-2-seed-1
xrayaug train-classifier --data H/arm-0-real-0.05-draw-3 --arch efficientnet_lite0 --size 128 --epochs 10 --device cpu --seed 2 --out H/classifier-0-real-0.05-draw-3-seed-2
xrayaug train-classifier --data H/arm-0-real-0.05-draw-4 --arch efficientnet_lite0 --size 128 --epochs 10 --device cpu --seed 3 --out H/classifier-0-real-0.05-draw-4-seed-3
xrayaug train-classifier --data H/arm-0-real-0.05-draw-5 --arch efficientnet_lite0 --size 128 --epochs 10 --device cpu --seed 4 --out H/classifier-0-real-0.05-draw-5-seed-4
xrayaug train-classifier --data H/arm-6000-both-projected-real-0.05 --arch efficientnet_lite0 --size 128 --epochs 10 --device cpu --out H/classifier-6000-both-projected-real-0.05-seed-0
xrayaug train-classifier --data H/arm-6000-both-projected-real-0.05-draw-2 --arch efficientnet_lite0 --size 128 --epochs 10 --device cpu --seed 1 --out H/classifier-6000-both-projected-real-0.05-draw-2-seed-1
xrayaug train-classifier --data H/arm-6000-both-projected-real-0.05-draw-3 --arch efficientnet_lite0 --size 128 --epochs 10 --device cpu --seed 2 --out H/classifier-6000-both-projected-real-0.05-draw-3-seed-2
xrayaug train-classifier --data H/arm-6000-both-projected-real-0.05-draw-4 --arch efficientnet_lite0 --size 128 --epochs 10 --device cpu --seed 3 --out H/classifier-6000-both-projected-real-0.05-draw-4-seed-3
xrayaug train-classifier --data H/arm-6000-both-projected-real-0.05-draw-5 --arch efficientnet_lite0 --size 128 --epochs 10 --device cpu --seed 4 --out H/classifier-6000-both-projected-real-0.05-draw-5-seed-4
xrayaug train-classifier --data H/arm-6000-both-duplicate-real-0.05 --arch efficientnet_lite0 --size 128 --epochs 10 --device cpu --out H/classifier-6000-both-duplicate-real-0.05-seed-0
xrayaug train-classifier --data H/arm-6000-both-duplicate-real-0.05-draw-2 --arch efficientnet_lite0 --size 128 --epochs 10 --device cpu --seed 1 --out H/classifier-6000-both-duplicate-real-0.05-draw-2-seed-1
xrayaug train-classifier --data H/arm-6000-both-duplicate-real-0.05-draw-3 --arch efficientnet_lite0 --size 128 --epochs 10 --device cpu --seed 2 --out H/classifier-6000-both-duplicate-real-0.05-draw-3-seed-2
xrayaug train-classifier --data H/arm-6000-both-duplicate-real-0.05-draw-4 --arch efficientnet_lite0 --size 128 --epochs 10 --device cpu --seed 3 --out H/classifier-6000-both-duplicate-real-0.05-draw-4-seed-3
xrayaug train-classifier --data H/arm-6000-both-duplicate-real-0.05-draw-5 --arch efficientnet_lite0 --size 128 --epochs 10 --device cpu --seed 4 --out H/classifier-6000-both-duplicate-real-0.05-draw-5-seed-4
xrayaug evaluate H/classifier-0-real-0.05-seed-0 H/classifier-0-real-0.05-draw-2-seed-1 H/classifier-0-real-0.05-draw-3-seed-2 H/classifier-0-real-0.05-draw-4-seed-3 H/classifier-0-real-0.05-draw-5-seed-4 H/classifier-6000-both-projected-real-0.05-seed-0 H/classifier-6000-both-projected-real-0.05-draw-2-seed-1 H/classifier-6000-both-projected-real-0.05-draw-3-seed-2 H/classifier-6000-both-projected-real-0.05-draw-4-seed-3 H/classifier-6000-both-projected-real-0.05-draw-5-seed-4 H/classifier-6000-both-duplicate-real-0.05-seed-0 H/classifier-6000-both-duplicate-real-0.05-draw-2-seed-1 H/classifier-6000-both-duplicate-real-0.05-draw-3-seed-2 H/classifier-6000-both-duplicate-real-0.05-draw-4-seed-3 H/classifier-6000-both-duplicate-real-0.05-draw-5-seed-4 --fid H/fid-synthetic-projected-mura --against both --device cpu --overwrite --out H/evaluation
