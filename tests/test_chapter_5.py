"""第 5 章的脚本，在微型数据上"""

from common import Fault, results, training

import keras
import numpy as np
import pytest
import tensorflow as tf
from look import assert_saved, changed, comparison, images, shapes, weights
from PIL import Image


def test_convnet(finished):
    """参数个数、每一层的形状和书中一样；没有池化的那个也是"""
    run = finished("5_1_convnet.py")
    ns = run.ns
    assert ns["x_train"].shape == (640, 28, 28, 1) and ns["x_train"].max() <= 1
    assert ns["model"].count_params() == 93_322
    sizes = [layer.output.shape[1] for layer in ns["model"].layers]
    assert sizes == [26, 13, 11, 5, 3, 576, 64, 10]
    assert ns["model_no_max_pool"].layers[-1].output.shape[1:] == (22, 22, 64)
    assert ns["model"].optimizer.iterations == 10 and ns["test_acc"] > 0.2
    assert ns["network"].count_params() == 407_050
    # 右移 0 个像素就是原来的测试集；右移之后左边空着
    assert ns["conv_accs"][0] == pytest.approx(ns["test_acc"])
    np.testing.assert_array_equal(ns["shifted"][:, :, 4:], ns["x_test"][:, :, :-4])
    assert (ns["shifted"][:, :, :4] == 0).all()
    assert images(run.folder) == ["feature_maps", "shift"]
    row = comparison(run.printed)[1]
    assert row == ["测试精度", "0.993", f"{ns['test_acc']:.4f}"]
    # 双重循环和 Conv2D、最大池化和 MaxPooling2D 一样；响应图就是第一层的输出
    image = ns["x_test"][0, :, :, 0]
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(image, 1), (3, 3))
    expected = (windows * ns["edges"]).sum(axis=(2, 3))  # (28, 28)
    np.testing.assert_allclose(ns["padded_map"], expected, atol=1e-5)
    np.testing.assert_allclose(ns["response_map"], expected[1:-1, 1:-1], atol=1e-5)
    assert run.printed.count("和 Conv2D 相同：True") == 2
    assert "和 MaxPooling2D 相同： True" in run.printed
    block = ns["response_map"][6:8, 10:12]
    assert ns["pooled"].shape == (13, 13) and ns["pooled"][3, 5] == block.max()
    kernel, bias = ns["model"].layers[0].get_weights()
    maps = np.einsum("ijkl,klf->ijf", windows[1:-1, 1:-1], kernel[:, :, 0]) + bias
    np.testing.assert_allclose(ns["feature_maps"], maps.clip(0), atol=1e-4)
    for text in ("valid，步幅 2 → (13, 13, 32)", "same，步幅 2 → (14, 14, 32)"):
        assert text in run.printed


CATS_DOGS = "5_2_cats_dogs.py"


def test_cats_dogs(finished):
    """每个数据集的每张照片恰好一次；猫是 0，狗是 1（猫上半张亮，狗下半张亮）"""
    run = finished(CATS_DOGS)
    ns = run.ns
    assert ns["data_batch"].shape == (4, 46, 50, 3)
    assert ns["labels_batch"].shape == (4, 1)
    for name, count in [("train", 16), ("validation", 8), ("test", 8)]:
        seen = []
        for x, y in ns[f"{name}_dataset"].unbatch().as_numpy_iterator():
            assert 0 <= x.min() and 100 < x.max() <= 255
            assert (x[:20].mean() < x[26:].mean()) == y[0]
            seen.append((int(y[0]), x.tobytes()))
        assert len(set(seen)) == len(seen) == count
        assert sum(label for label, _ in seen) == count / 2
    # 增强的数据：取完一遍接着取，每批 8 张，标签还是原来的
    batches = list(ns["augmented_dataset"].take(4).as_numpy_iterator())
    assert {(x.shape, y.shape) for x, y in batches} == {((8, 46, 50, 3), (8, 1))}
    assert sum(y.sum() for _, y in batches) == 16
    assert "total training cat images: 8" in run.printed
    # 卷积核逐层和书中一样；两个网络只差一层 Dropout
    expected = [(3, 3, 3, 32), (3, 3, 32, 64), (3, 3, 64, 128), (3, 3, 128, 128)]
    expected += [(128, 512), (512, 1)]  # 46x50 → 1x1，所以 Flatten 之后只有 128
    for name in ("model", "augmented_model"):
        assert shapes(ns[name])[::2] == expected
        assert isinstance(ns[name].optimizer, keras.optimizers.RMSprop)
        assert ns[name].optimizer.epsilon == 1e-14
        assert ns[name].optimizer.iterations == 3 * 4
    kinds = [type(layer).__name__ for layer in ns["augmented_model"].layers]
    assert kinds.pop(kinds.index("Flatten") + 1) == "Dropout"
    assert kinds == [type(layer).__name__ for layer in ns["model"].layers]
    # 没有 GPU，学习率从 5 倍开始逐渐减小到 0
    schedule = ns["learning_rate"]
    assert float(schedule(0)) == pytest.approx(5e-3)
    assert float(schedule(3 * 4)) == pytest.approx(0, abs=1e-9)
    for history in (ns["history"], ns["augmented_history"]):
        assert [len(values) for values in history.values()] == [3] * 5
    assert ns["history"]["loss"][-1] < ns["history"]["loss"][0]
    # 混淆矩阵、测试精度、认错的照片，三者是同一回事；表里是最后五轮的平均
    right = np.trace(ns["confusion"])
    assert ns["confusion"].sum(axis=1).tolist() == [4, 4]
    assert right / 8 == pytest.approx(ns["augmented_test_acc"])
    assert len(ns["wrong"]) == 8 - right
    sure = np.abs(ns["predictions"][ns["worst"]] - 0.5)
    assert (np.diff(sure) <= 0).all()
    curves = ["augmented_accuracy", "augmented_loss", "plain_accuracy", "plain_loss"]
    assert images(run.folder) == ["augmented", *curves, "wrong"]
    for number, name in [(1, "model"), (2, "augmented_model")]:
        assert_saved(run.folder / f"cats_and_dogs_small_{number}.keras", ns[name])
    plain = np.mean(ns["history"]["val_accuracy"][-5:])
    mean = np.mean(ns["augmented_history"]["val_accuracy"][-5:])
    rows = comparison(run.printed)
    assert rows[0] == ["验证精度，没有数据增强", "0.70", "到", "0.72", f"{plain:.3f}"]
    assert rows[1] == ["验证精度，有数据增强", "0.82", f"{mean:.3f}"]
    assert rows[3] == ["相对提高", "15%", f"{mean / plain - 1:.0%}"]
    # 没有设 MY_PHOTO，认的是测试集的第一张
    verdict = "狗" if ns["predictions"][0] > 0.5 else "猫"
    assert f"测试集的第一张：是{verdict}，狗的概率" in run.printed


@pytest.mark.parametrize("flip", [1, -1])
def test_augment_can_do_nothing_or_mirror(finished, monkeypatch, flip):
    """随机数都取中间值，什么也不变；翻转取 -1，正好左右颠倒"""
    photo = np.random.default_rng(0).integers(0, 256, (2, 46, 50, 3)).astype("float32")
    middle = iter([0, 0, 1, flip, 0, 0])  # 旋转、错切、缩放、翻转、平移

    def uniform(shape, low, high):
        return tf.fill(shape, tf.constant(next(middle), "float32"))

    monkeypatch.setattr(tf.random, "uniform", uniform)
    result = finished(CATS_DOGS).ns["augment"](tf.constant(photo)).numpy()
    np.testing.assert_array_equal(result, photo[:, :, ::flip])


def test_augment_stays_in_the_book_s_ranges(finished):
    """每个像素里写着自己的坐标，从变形之后的照片量出旋转、错切、缩放、翻转、平移"""
    row, column = np.mgrid[:46, :50].astype("float32")
    photo = np.stack([column, row, 7 + 0 * row], axis=2)
    tf.random.set_seed(0)
    results = finished(CATS_DOGS).ns["augment"](tf.constant([photo] * 400)).numpy()
    assert results.shape == (400, 46, 50, 3) and results.dtype == "float32"
    assert (results[..., 2] == 7).all()  # 没有黑边，颜色都来自原来的照片
    assert len({image.tobytes() for image in results}) == 400
    center, measured = np.array([24.5, 22.5]), []
    for image in results:
        inside = ((0 < image) & (image < [49, 45, 9])).all(axis=2)
        here = np.c_[column[inside], row[inside]] - center
        source = image[inside][:, :2] - center
        here = np.c_[here, np.ones(len(here))]
        (a, c), (b, d), shift = np.linalg.lstsq(here, source, rcond=None)[0]
        flip = np.sign(a * d - b * c)
        angle = np.arctan2(c * flip, a * flip)
        cos, sin = np.cos(angle), np.sin(angle)
        zoom_y, shear = cos * d - sin * b, (cos * b + sin * d) / (cos * d - sin * b)
        zooms = [np.hypot(a, c), zoom_y]
        measured.append([np.degrees(angle), shear, *zooms, flip, *shift / [50, 46]])
    measured = np.array(measured)
    high = np.array([40, 0.2, 1.2, 1.2, 1, 0.2, 0.2])
    low = np.array([-40, -0.2, 0.8, 0.8, -1, -0.2, -0.2])
    margin = 0.05 * (high - low)  # 最近邻取整，量得不那么准
    assert (np.abs(measured.max(axis=0) - high) < margin).all()
    assert (np.abs(measured.min(axis=0) - low) < margin).all()
    assert 0.4 < (measured[:, 4] > 0).mean() < 0.6


def test_cats_dogs_own_photo(run_tiny, tmp_path, capsys):
    """路径可以带引号；路径写错了，训练之前就说"""
    path = tmp_path / "我的 猫.png"
    Image.fromarray(np.full((30, 80, 4), 200, "uint8")).save(path)
    tiny = {"EPOCHS": 1, "AUGMENTED_EPOCHS": 1, "AUGMENTED_STEPS": 1}
    ns = run_tiny(CATS_DOGS, MY_PHOTO=f'"{path}"', **tiny)
    assert ns["my_photo"].shape == (46, 50, 3) and (ns["my_photo"] == 200).all()
    assert f'"{path}"：是' in capsys.readouterr().out
    with pytest.raises(Fault, match="none.jpg"):
        run_tiny(CATS_DOGS, MY_PHOTO=str(tmp_path / "none.jpg"))
    assert "Epoch" not in capsys.readouterr().out


def test_cats_dogs_in_bfloat16(run_tiny, monkeypatch):
    """用 bfloat16 训练：权重和最后一层是 float32，存成的模型全是 float32，结果相近"""
    monkeypatch.setattr(training, "bfloat16_is_faster", lambda: True)
    ns = run_tiny(CATS_DOGS, EPOCHS=1, until="数据增强只用")
    assert ns["augmented_model"].layers[1].compute_dtype == "bfloat16"
    assert keras.config.dtype_policy().name == "float32"  # 以后建的网络不用
    model, folder = ns["model"], results.OUTPUT / "5_2_cats_dogs"
    policies = [layer.compute_dtype for layer in model.layers]
    assert set(policies[:-1]) == {"bfloat16"} and policies[-1] == "float32"
    assert {weight.dtype for weight in model.weights} == {"float32"}
    saved = keras.models.load_model(folder / "cats_and_dogs_small_1.keras")
    assert {layer.compute_dtype for layer in saved.layers} == {"float32"}
    assert not any(changed(weights(model), weights(saved)))
    x = ns["data_batch"]
    difference = saved.predict(x, verbose=0) - model.predict(x, verbose=0)
    assert np.abs(difference).max() < 0.02
