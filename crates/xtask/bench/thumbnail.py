"""Milliseconds of processor time that libvips takes in this process to make a thumbnail of each file, one a line."""

import sys
import time

import pyvips

WARM_UP = 20
PHOTOS = 100
READINGS = 5

# What was made once is not made from memory the next time.
pyvips.cache_set_max(0)


def thumbnail(photo):
    small = pyvips.Image.thumbnail_buffer(photo, 96, height=96, crop="centre")
    return small.jpegsave_buffer(Q=85, strip=True)


def reading(photo):
    began = time.process_time()
    for _ in range(PHOTOS):
        thumbnail(photo)
    return (time.process_time() - began) * 1000 / PHOTOS


for file in sys.argv[1:]:
    with open(file, "rb") as opened:
        photo = opened.read()
    for _ in range(WARM_UP):
        thumbnail(photo)
    print(sorted(reading(photo) for _ in range(READINGS))[READINGS // 2])
