#!/usr/bin/env python3
"""Golden images from PIL, torchvision and OpenCV for tests/image and tests/data: small files in many formats, and what
their pixels, resized images and transformed images must be, as CRC-32 of the bytes. Usage: image.py TESTS/DATA/IMAGE

Made with PIL 9.4, torchvision 0.14, OpenCV 4.6 and libjpeg-turbo 2.1 (Debian 12)."""
import pathlib
import shutil
import sys
import tempfile
import zlib

import cv2
import numpy
import torch
import torchvision.transforms as T
from PIL import Image
from torchvision.datasets import ImageFolder

out = pathlib.Path(sys.argv[1])
out.mkdir(parents=True, exist_ok=True)
rng = numpy.random.RandomState(7)
cv2.setNumThreads(1)


def crc(array):
    return f'{zlib.crc32(numpy.ascontiguousarray(array).tobytes()):08x}'


def photo(height, width, channels):
    """Smooth shapes with a little noise: what JPEG is made for."""
    y, x = numpy.mgrid[0:height, 0:width]
    planes = [128 + 90 * numpy.sin(x / (5 + c) + c) * numpy.cos(y / (7 - c)) + rng.uniform(-20, 20, (height, width))
              for c in range(channels)]
    return numpy.clip(numpy.stack(planes, -1), 0, 255).astype(numpy.uint8)


def lcg(count, seed):
    """The bytes that tests/image/test_resize.c makes, too."""
    values, state = numpy.empty(count, numpy.uint8), seed
    for i in range(count):
        state = (state * 1664525 + 1013904223) & 0xffffffff
        values[i] = state >> 24
    return values


def write_files():
    rgba, grey = photo(37, 53, 4), photo(37, 53, 1)[:, :, 0]
    deep = rng.randint(0, 65536, (9, 11, 4)).astype(numpy.uint16)
    deep[0, :4, 0] = (0, 1, 255, 256)
    for mode in ('RGB', 'RGBA', 'L', 'LA', '1', 'P'):
        Image.fromarray(rgba).convert(mode).save(out / f'png_{mode}.png')
    Image.fromarray(deep[:, :, 0].copy()).save(out / 'png_grey16.png')
    cv2.imwrite(str(out / 'png_rgb16.png'), deep[:, :, :3])
    cv2.imwrite(str(out / 'png_rgba16.png'), deep)
    for bits in (1, 2, 4):
        image = Image.fromarray(rgba[:, :, :3].copy()).convert('P', palette=Image.ADAPTIVE, colors=1 << bits)
        image.save(out / f'png_palette{bits}.png', bits=bits)
    Image.fromarray(rgba).convert('P').save(out / 'png_transparent.png', transparency=5)
    Image.fromarray(grey).save(out / 'png_grey_transparent.png', transparency=128)
    image = Image.fromarray(rgba[:, :, :3].copy())
    for name, options in (('420', dict(subsampling=2)), ('422', dict(subsampling=1)), ('444', dict(subsampling=0)),
                          ('progressive', dict(progressive=True)), ('low', dict(quality=8))):
        image.save(out / f'jpeg_{name}.jpg', **options)
    Image.fromarray(grey).save(out / 'jpeg_grey.jpg')
    Image.fromarray(rgba, 'CMYK').save(out / 'jpeg_cmyk.jpg')
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x112] = orientation
        image.crop((0, 0, 20, 13)).save(out / f'turned_{orientation}.jpg', exif=exif, quality=90)
    small = rgba[:4, :5]
    (out / 'pnm_p6.ppm').write_bytes(b'P6\n# a comment\n5 4\n255\n' + small[:, :, :3].tobytes())
    (out / 'pnm_p6_100.ppm').write_bytes(b'P6 5 4 100 ' + (small[:, :, :3] % 101).tobytes())
    (out / 'pnm_p6_1000.ppm').write_bytes(b'P6 5 4 1000 ' + (deep[:4, :5, :3] % 1001).astype('>u2').tobytes())
    (out / 'pnm_p5.pgm').write_bytes(b'P5\n5\t4 255\n' + small[:, :, 0].tobytes())
    (out / 'pnm_p5_300.pgm').write_bytes(b'P5 5 4 300\n' + (deep[:4, :5, 0] % 301).astype('>u2').tobytes())
    (out / 'pnm_p5_65535.pgm').write_bytes(b'P5 5 4 65535\n' + deep[:4, :5, 0].astype('>u2').tobytes())
    text = ' '.join(str(v) for v in small[:, :, :3].ravel())
    (out / 'pnm_p3.ppm').write_text(f'P3\n#c\n5 4\n255\n{text[:60]}\n# more\n{text[60:]}\n')
    (out / 'pnm_p2.pgm').write_text('P2 5 2 7\n0 1 2 3 4\n5 6 7 0 1')


def write_pixels():
    """FILE WIDTH HEIGHT CRC: convert("RGB"); and `cv2 FILE ...`: cv2.imread, blue first, turned."""
    lines = []
    for path in sorted(out.iterdir()):
        if path.suffix == '.txt':
            continue
        pixels = numpy.asarray(Image.open(path).convert('RGB'))
        lines.append(f'pil {path.name} {pixels.shape[1]} {pixels.shape[0]} {crc(pixels)}')
        if path.name.startswith(('turned', 'png_RGB.', 'jpeg_4')):
            pixels = cv2.imread(str(path))
            lines.append(f'cv2 {path.name} {pixels.shape[1]} {pixels.shape[0]} {crc(pixels)}')
    (out / 'pixels.txt').write_text('\n'.join(lines) + '\n')


def write_resized():
    """WIDTH HEIGHT CHANNELS NEW_WIDTH NEW_HEIGHT PIL CV2, of lcg bytes with the line's number (from 0) as seed."""
    sizes = [(1, 1, 1, 1), (1, 1, 7, 5), (7, 5, 1, 1), (1, 9, 4, 9), (9, 1, 9, 4), (2, 2, 3, 3), (3, 3, 2, 2),
             (53, 37, 24, 24), (17, 20, 50, 64), (140, 100, 256, 256), (64, 64, 32, 32), (64, 64, 128, 128),
             (90, 90, 224, 224), (9, 7, 2, 3), (300, 281, 100, 100), (200, 3, 1, 200), (3, 200, 200, 1),
             (500, 375, 256, 256), (300, 225, 298, 224), (255, 257, 256, 256)]
    for _ in range(100):
        sizes.append(tuple(int(numpy.exp(rng.uniform(0, numpy.log(120)))) for _ in range(4)))
    lines = []
    for seed, (width, height, new_width, new_height) in enumerate(sizes):
        channels = 1 if seed % 4 == 3 else 3
        pixels = lcg(width * height * channels, seed).reshape((height, width, channels))
        if channels == 1:
            pixels = pixels[:, :, 0]
        pil = numpy.asarray(Image.fromarray(pixels).resize((new_width, new_height), Image.BILINEAR))
        cv = cv2.resize(pixels, (new_width, new_height), interpolation=cv2.INTER_LINEAR)
        lines.append(f'{width} {height} {channels} {new_width} {new_height} {crc(pil)} {crc(cv)}')
    (out / 'resized.txt').write_text('\n'.join(lines) + '\n')


TRANSFORMS = [
    lambda: T.Resize([20, 30]), lambda: T.Resize(24), lambda: T.Resize(60), lambda: T.Resize(37),
    lambda: T.CenterCrop(16), lambda: T.CenterCrop((21, 64)), lambda: T.CenterCrop(80), lambda: T.Grayscale(1),
    lambda: T.Grayscale(3), lambda: T.RandomCrop(20), lambda: T.RandomCrop((37, 53)),
    lambda: T.RandomCrop(40, padding=4),
    lambda: T.RandomResizedCrop(24), lambda: T.RandomResizedCrop((17, 31), scale=(.5, .6), ratio=(2., 3.)),
    lambda: T.RandomResizedCrop(12, scale=(.9, 1.), ratio=(4., 5.)),    # never fits: the fallback
    lambda: T.RandomResizedCrop(12, scale=(.9, 1.), ratio=(.1, .2)), lambda: T.RandomHorizontalFlip(),
    lambda: T.RandomHorizontalFlip(p=.2),
    lambda: T.Compose([T.Resize([32, 32]), T.RandomResizedCrop(28), T.RandomHorizontalFlip()]),
]


def write_transformed():
    """For each of TRANSFORMS its number and text, then SEED FILE HEIGHT WIDTH CRC of what it makes of two images."""
    lines = []
    for number, make in enumerate(TRANSFORMS):
        transform = make()
        lines.append(f'{number} ' + str(transform).replace('\n', '\\n'))
        for seed in range(12):
            name = ('jpeg_444.jpg', 'png_L.png')[seed % 2]
            image = Image.open(out / name)
            torch.manual_seed(seed)
            pixels = numpy.asarray(transform(image.convert('RGB')))
            lines.append(f'{seed} {name} {pixels.shape[0]} {pixels.shape[1]} {crc(pixels)}')
    (out / 'transformed.txt').write_text('\n'.join(lines) + '\n')


TREE = {
    'cat/a10.JPG': 'jpeg_420.jpg', 'cat/a2.jpg': 'jpeg_422.jpg', 'cat/sub/z.png': 'png_RGBA.png',
    'cat/sub b/y.jpeg': 'jpeg_grey.jpg', 'cat/sub/a/x.ppm': 'pnm_p6.ppm', 'cat/notes.txt': 'pnm_p3.ppm',
    'Dog/one.png': 'png_palette4.png', 'Dog/two.png': 'png_grey16.png', '.hidden/b.pgm': 'pnm_p5.pgm',
    '.hidden/jpg': 'pnm_p5.pgm', 'stray.png': 'png_L.png', '\u00e9t\u00e9/c.jpg': 'jpeg_cmyk.jpg',
    'zoo/.jpg': 'jpeg_low.jpg',
}


def write_folder():
    """FILE PATH: the folder's files; CLASS NAME and ITEM LABEL PATH: what ImageFolder makes of it; BATCH CRC LABELS:
    two epochs of a DataLoader without workers after manual_seed(5), with dropout between."""
    lines = [f'file {source} {name}' for name, source in TREE.items()]
    with tempfile.TemporaryDirectory() as root:
        for name, source in TREE.items():
            path = pathlib.Path(root, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(out / source, path)
        transform = T.Compose([T.Resize([32, 32]), T.RandomResizedCrop(24), T.RandomHorizontalFlip(), T.ToTensor()])
        folder = ImageFolder(root, transform)
        lines += [f'class {name}' for name in folder.classes]
        lines += [f'item {label} {path[len(root) + 1:]}' for path, label in folder.samples]
        torch.manual_seed(5)
        loader = torch.utils.data.DataLoader(folder, batch_size=4, shuffle=True)
        for _ in range(2):
            for inputs, labels in loader:
                lines.append(f'batch {crc(inputs.numpy())} {" ".join(map(str, labels.tolist()))}')
                torch.nn.functional.dropout(torch.ones(6))
    (out / 'folder.txt').write_text('\n'.join(lines) + '\n')


write_files()
write_pixels()
write_resized()
write_transformed()
write_folder()
