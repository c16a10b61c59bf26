"""合成的猫狗照片：文件和书中的一样，颜色和文件大小看不出类别"""

import os

from common import synthetic_photos
from common.synthetic_photos import draw, make_cats_dogs

import numpy as np
import pytest
from PIL import Image

SPLITS = ("train", "validation", "test")
NAMES = ("cat", "dog")


def contents(folder):
    """{相对路径: 内容}，文件夹里所有的文件"""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def drawn(start, stop, size):
    """编号从 start 到 stop 的猫和狗，返回 uint8 的照片和 0、1 的标签"""
    keys = [(0, label, number) for number in range(start, stop) for label in (0, 1)]
    images = [draw(key[1], np.random.default_rng(key), size) for key in keys]
    return np.stack(images), np.array([label for _, label, _ in keys])


# %% 文件


def test_folders_and_numbers_are_the_book_s(tmp_path):
    """三个集合各有 cats/ 和 dogs/，编号在三个集合之间连续，别的什么也没有"""
    make_cats_dogs(tmp_path, (3, 2, 1))
    numbers = {"train": [0, 1, 2], "validation": [3, 4], "test": [5]}
    assert set(contents(tmp_path)) == {
        f"{split}/{name}s/{name}.{number}.jpg"
        for split in SPLITS
        for name in ("cat", "dog")
        for number in numbers[split]
    }


def test_default_numbers(tmp_path, monkeypatch):
    """默认的张数：验证集从 1000 起，测试集从 1500 起，同书中"""
    saved = []
    monkeypatch.setattr(synthetic_photos, "_save", lambda *args: saved.append(args[1]))
    make_cats_dogs(tmp_path)
    names = [path.relative_to(tmp_path).as_posix() for path in saved]
    assert len(names) == len(set(names)) == 4000
    for split, first, last in zip(SPLITS, (0, 1000, 1500), (999, 1499, 1999)):
        for name in ("cat", "dog"):
            group = [n for n in names if n.startswith(f"{split}/{name}s/")]
            assert group[0] == f"{split}/{name}s/{name}.{first}.jpg"
            assert group[-1] == f"{split}/{name}s/{name}.{last}.jpg"
            assert len(group) == last - first + 1


def test_every_file_is_a_photo(tmp_path):
    """160x160 的彩色 JPEG，和 draw 画的差不多，注明了是合成的"""
    make_cats_dogs(tmp_path, (2, 0, 1))
    paths = sorted(tmp_path.rglob("*.jpg"))
    assert len(paths) == 6
    for path in paths:
        with Image.open(path) as image:
            image.load()
            assert (image.format, image.mode, image.size) == ("JPEG", "RGB", (160, 160))
            assert image.info["comment"].startswith(b"synthetic")
            label, number = int(path.name[:3] == "dog"), int(path.name.split(".")[1])
            original = draw(label, np.random.default_rng((0, label, number)))
            assert original.dtype == "uint8" and original.std() > 5
            difference = np.asarray(image).astype(int) - original
            assert np.abs(difference).mean() < 8  # JPEG 是有损的


@pytest.mark.parametrize("size", [33, 64, 200])
def test_any_size(size):
    """边长可以改，形状和类型不变"""
    image = draw(1, np.random.default_rng(0), size)
    assert image.shape == (size, size, 3) and image.dtype == "uint8"


def test_same_seed_same_photos(tmp_path):
    """种子相同，内容逐字节相同；种子不同，每一张都不同；任何两张都不同"""
    for name, seed in [("one", 0), ("two", 0), ("three", 1)]:
        make_cats_dogs(tmp_path / name, (3, 1, 1), seed)
    one, two, three = (contents(tmp_path / name) for name in ("one", "two", "three"))
    assert one == two
    images = [np.asarray(Image.open(p)).tobytes() for p in tmp_path.rglob("*.jpg")]
    assert len(set(images)) == len(one) + len(three)


def test_a_photo_does_not_depend_on_the_counts(tmp_path):
    """张数变了，同一编号的照片不变，只是可能换了集合"""
    make_cats_dogs(tmp_path / "one", (1, 3, 1))
    make_cats_dogs(tmp_path / "two", (4, 0, 2))
    one, two = (
        {path.split("/")[-1]: content for path, content in contents(folder).items()}
        for folder in (tmp_path / "one", tmp_path / "two")
    )
    assert len(one) == 10 and len(two) == 12
    assert all(two[name] == content for name, content in one.items())


# %% 中断和继续


def interrupt_save(monkeypatch):
    """第 4 张写到一半时中断"""
    calls, save = [], Image.Image.save

    def half(image, path, *args, **kwargs):
        save(image, path, *args, **kwargs)
        calls.append(path)
        if len(calls) == 4:
            os.truncate(path, 1000)
            raise KeyboardInterrupt

    monkeypatch.setattr(Image.Image, "save", half)


def interrupt_replace(monkeypatch):
    """第 4 张写完了、还没有改名时中断"""
    calls, replace = [], os.replace

    def stop(source, target):
        calls.append(target)
        if len(calls) == 4:
            raise KeyboardInterrupt
        replace(source, target)

    monkeypatch.setattr(os, "replace", stop)


@pytest.mark.parametrize("interrupt", [interrupt_save, interrupt_replace])
def test_interrupted_writing_leaves_only_whole_photos(tmp_path, monkeypatch, interrupt):
    """打断之后已有的照片都完整，没有临时文件；再运行一次就补齐"""
    make_cats_dogs(tmp_path / "whole", (2, 1, 1))
    whole = contents(tmp_path / "whole")
    with monkeypatch.context() as patch:
        interrupt(patch)
        with pytest.raises(KeyboardInterrupt):
            make_cats_dogs(tmp_path / "again", (2, 1, 1))
    partial = contents(tmp_path / "again")
    assert len(partial) == 3 and partial.items() <= whole.items()
    make_cats_dogs(tmp_path / "again", (2, 1, 1))
    assert contents(tmp_path / "again") == whole


def test_while_writing_the_class_folders_hold_only_photos(tmp_path, monkeypatch):
    """正在写的时候断电，留下的半个文件也不在类别文件夹里，不会被当成照片读"""
    written = []
    monkeypatch.setattr(os, "replace", lambda source, target: written.append(source))
    make_cats_dogs(tmp_path, (1, 1, 1))
    assert len(written) == 6 and {path.parent for path in written} == {tmp_path}


def test_finished_photos_are_not_drawn_again(tmp_path, monkeypatch):
    """画好的不重画；断在半截的、空的、换了种子或画法的才重画"""
    make_cats_dogs(tmp_path, (2, 1, 1))
    whole, numbers = contents(tmp_path), []

    def spy(label, rng, *args):
        numbers.append(label)
        return draw(label, rng, *args)

    monkeypatch.setattr(synthetic_photos, "draw", spy)
    make_cats_dogs(tmp_path, (2, 1, 1))
    assert numbers == []
    path = tmp_path / "train" / "dogs" / "dog.1.jpg"
    for length in (0, 1000, path.stat().st_size - 1):
        os.truncate(path, length)
        make_cats_dogs(tmp_path, (2, 1, 1))
        assert numbers == [1] and contents(tmp_path) == whole
        numbers.clear()
    make_cats_dogs(tmp_path, (2, 1, 1), seed=1)
    assert len(numbers) == 8
    assert set(contents(tmp_path).values()).isdisjoint(whole.values())
    numbers.clear()
    monkeypatch.setattr(synthetic_photos, "_VERSION", synthetic_photos._VERSION + 1)
    make_cats_dogs(tmp_path, (2, 1, 1), seed=1)
    assert len(numbers) == 8


# %% 看形状才分得出


@pytest.fixture(scope="module")
def photos():
    """画得小一些的照片，600 张和 400 张，猫狗各半"""
    return drawn(0, 300, 48), drawn(1000, 1200, 48)


def held_out_accuracy(features, labels):
    """用一半的照片拟合最小二乘分类器，返回它在另一半上的精度"""
    x = (features - features.mean(axis=0)) / (features.std(axis=0) + 1e-6)
    x, half = np.c_[x, np.ones(len(x))], len(x) // 2
    weights = np.linalg.lstsq(x[:half], labels[:half] - 0.5, rcond=None)[0]
    return np.mean((x[half:] @ weights > 0) == labels[half:])


def test_colors_do_not_tell_cats_from_dogs(photos):
    """平均颜色、颜色的直方图、四边的颜色都看不出是猫是狗"""
    images, labels = (np.concatenate(arrays) for arrays in zip(*photos))
    means = np.c_[images.mean(axis=(1, 2)), images.std(axis=(1, 2))]
    bins = [(images // 32 == i).mean(axis=(1, 2)) for i in range(8)]
    border = images[:, [0, 12, 24, 36, 47]][:, :, [0, -1]].reshape(len(images), -1)
    for features in (means, np.concatenate(bins, axis=1), border):
        assert held_out_accuracy(features, labels) < 0.62


def test_file_sizes_do_not_tell_cats_from_dogs(tmp_path):
    """文件的大小也看不出"""
    make_cats_dogs(tmp_path, (150, 0, 0))
    paths = [tmp_path / f"train/{n}s/{n}.{i}.jpg" for i in range(150) for n in NAMES]
    sizes = np.array([[path.stat().st_size] for path in paths], "float64")
    assert held_out_accuracy(sizes, np.tile([0, 1], 150)) < 0.62
