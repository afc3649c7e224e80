"""Takes a small subset of Fashion-MNIST with classes in balance: the first images of each class, in the order of the files.

    python make_subset.py SOURCE_DIRECTORY [TARGET_DIRECTORY]

Needs nothing but Python. The same source gives the same files, byte for byte.
"""
import gzip
import pathlib
import struct
import sys

PARTS = {"train": 600, "t10k": 100}
CLASSES = 10
PIXELS = 28 * 28


def read(path, magic, header):
    with gzip.open(path) as file:
        content = file.read()
    if struct.unpack_from(">I", content)[0] != magic:
        sys.exit(f"{path} is not an IDX file with magic number {magic}")
    return content[header:]


def write(path, header, values):
    with open(path, "wb") as raw, gzip.GzipFile("", "wb", compresslevel=9, fileobj=raw, mtime=0) as file:
        file.write(header + values)


def main():
    if not 2 <= len(sys.argv) <= 3:
        sys.exit(__doc__)
    source = pathlib.Path(sys.argv[1])
    target = pathlib.Path(sys.argv[2]) if len(sys.argv) == 3 else pathlib.Path(__file__).parent / "fashion-mnist"
    target.mkdir(parents=True, exist_ok=True)
    for part, each in PARTS.items():
        images = read(source / f"{part}-images-idx3-ubyte.gz", 2051, 16)
        labels = read(source / f"{part}-labels-idx1-ubyte.gz", 2049, 8)
        taken, left = [], [each] * CLASSES
        for index, label in enumerate(labels):
            if left[label] > 0:
                left[label] -= 1
                taken.append(index)
        if any(left):
            sys.exit(f"{source} has too few images: {left} of each class are missing")
        chosen = b"".join(images[index * PIXELS : (index + 1) * PIXELS] for index in taken)
        write(target / f"{part}-images-idx3-ubyte.gz", struct.pack(">IIII", 2051, len(taken), 28, 28), chosen)
        write(target / f"{part}-labels-idx1-ubyte.gz", struct.pack(">II", 2049, len(taken)), bytes(labels[i] for i in taken))
        print(f"{part}: {len(taken)} images, {each} of each class")


main()
