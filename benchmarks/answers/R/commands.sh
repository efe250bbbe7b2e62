#!/bin/sh
# The worst tenth rejected, command by command. E/ and F/ are studies E and F.
set -e
for k in 0 1 2 3 4; do
  gan=E/gan; [ $k = 0 ] || gan=E/gan-projected-$((k + 1))
  xrayaug sample --run $gan --count 800 --reject 0.1 --seed $((5 + k)) --device cpu --out R/synthetic-$k
  xrayaug copies R/synthetic-$k --real hands64 --features imagenet --device cpu --out R/copies-$k
  xrayaug augment --real hands64 --synthetic R/synthetic-$k --percent 100 --copies R/copies-$k --seed 5 --generator projected-rejected --out R/arm-$k
  xrayaug train-classifier --data R/arm-$k --arch efficientnet_lite0 --size 128 --train head --device cpu --seed $k --out R/classifier-$k
done
xrayaug evaluate F/classifier-0-seed-* F/classifier-100-both-*seed-* R/classifier-? --against both --device cpu --also exposure,cropping,blur --primary own --out R/evaluation
