"""每个脚本都要在微型数据上从第一行跑到最后一行，并且做了该做的事"""

import ast
import codeop
import itertools
import os
import re
import signal
import subprocess
import sys
import unicodedata

from common import Fault, explain, output, synthetic_photos, training

import harness
import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
import tiny_data
from harness import ROOT, SCRIPTS, TINY
from PIL import Image


def images(folder):
    return sorted(path.stem for path in folder.glob("*.png"))


def assert_saved(folder, model, columns, epochs):
    """模型能读回来且权重相同；CSV 一行一轮，没有缺值"""
    reloaded = keras.models.load_model(folder / "model.keras")
    for saved, trained in zip(reloaded.get_weights(), model.get_weights()):
        np.testing.assert_array_equal(saved, trained)
    table = pd.read_csv(folder / "history.csv")
    assert list(table.columns) == ["epoch", *columns, "data"]
    assert list(table["epoch"]) == list(range(1, epochs + 1))
    assert table[columns].notna().all(axis=None)
    assert set(table["data"]) == {"synthetic"}
    leftovers = [path for path in folder.iterdir() if path.name.startswith(".")]
    assert not leftovers


def columns_on_screen(line):
    """占几列：一个汉字占两列"""
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in line)


def table_after(text, header):
    """打印的文字里，表头之后和它同样宽的各行"""
    lines = text.splitlines()
    start = next(i for i, line in enumerate(lines) if line.split() == header)
    width = columns_on_screen(lines[start])
    same = itertools.takewhile(
        lambda line: columns_on_screen(line) == width, lines[start + 1 :]
    )
    return [line.split() for line in same]


def test_every_script_has_a_tiny_setting():
    assert SCRIPTS == sorted(TINY)


def test_fault_table_names_real_tests():
    """tests/README.md 里写的测试都在"""
    folder = ROOT / "tests"
    table = (folder / "README.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`(test_\w+)(?:\.py)?`", table))
    code = "".join(p.read_text(encoding="utf-8") for p in folder.glob("test_*.py"))
    exist = set(re.findall(r"def (test_\w+)", code))
    exist |= {path.stem for path in folder.glob("test_*.py")}
    assert len(named) > 40 and named <= exist


def test_breakpoint_of_the_readme():
    """README 里 pdb 的例子：那一行真有代码，断点设得上"""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    line = int(re.search(r"`python -m pdb 2_1_mnist.py`：`b (\d+)`", text)[1])
    tree = ast.parse((ROOT / "2_1_mnist.py").read_text(encoding="utf-8"))
    assert line in {statement.lineno for statement in tree.body}


def test_unknown_constant_is_an_error():
    with pytest.raises(AssertionError, match="NO_SUCH"):
        harness.rewritten("2_1_mnist.py", {"NO_SUCH": 1})


@pytest.mark.parametrize("script", SCRIPTS)
def test_can_be_pasted_line_by_line(script):
    """缩进块里没有空行、块后有空行，粘进普通的 >>> 提示符才不报错"""
    buffer = []
    for line in (ROOT / script).read_text(encoding="utf-8").splitlines():
        buffer.append(line)
        if codeop.compile_command("\n".join(buffer), script, "single"):
            buffer.clear()
    assert not "".join(buffer).strip()


@pytest.mark.parametrize("script", SCRIPTS)
def test_house_style(script):
    """有单元格、有资料卡；没有函数入口、参数解析和测试代码；常量只赋值一次"""
    text = (ROOT / script).read_text(encoding="utf-8")
    assert text.startswith(f'"""{script.split("_")[0]}.{script.split("_")[1]} ')
    for entry in ("任务：", "数据：", "网络：", "结果：", "开销：", "运行："):
        assert entry in text.split('"""')[1]
    assert len(re.findall("^# %% ", text, re.M)) > 5
    assert not re.search(r"__name__|argparse|def main|pytest|\bassert\b", text)
    for name in re.findall("^([A-Z_]+) = ", text, re.M):
        assert len(re.findall(f"^{name} = ", text, re.M)) == 1
    for comment in re.findall("^ *# (.*)$", text, re.M):
        assert not comment.endswith("。")


def test_gbk_console_can_print_everything():
    """中文 Windows 的控制台用 GBK，写不出的字符会变成问号"""
    for path in [*ROOT.glob("*.py"), *ROOT.glob("common/*.py")]:
        path.read_text(encoding="utf-8").encode("gbk")


def test_mnist(run_tiny, capsys):
    ns = run_tiny("2_1_mnist.py")
    folder = ns["model_path"].parent
    assert ns["train_images"].shape == (640, 784)
    assert ns["train_images"].dtype == np.float32
    assert ns["train_images"].min() >= 0 and ns["train_images"].max() <= 1
    assert ns["train_labels"].shape == (640, 10)
    np.testing.assert_array_equal(ns["train_labels"].sum(axis=1), 1)
    assert [w.shape for w in ns["network"].get_weights()] == [
        (784, 512),
        (512,),
        (512, 10),
        (10,),
    ]
    assert set(ns["history"].history) == {"accuracy", "loss"}
    assert ns["history"].history["loss"][-1] < ns["history"].history["loss"][0]
    assert ns["test_acc"] > 0.5  # 10 类，瞎猜是 0.1
    np.testing.assert_allclose(ns["predictions"].sum(axis=1), 1, rtol=1e-5)
    assert len(ns["wrong"]) == round((1 - ns["test_acc"]) * 100)
    assert (ns["predicted"][ns["wrong"]] != ns["answers"][ns["wrong"]]).all()
    assert images(folder) == ["samples", "wrong"]
    assert_saved(folder, ns["network"], ["accuracy", "loss"], 3)
    printed = capsys.readouterr().out
    rows = table_after(printed, ["项目", "书中", "本次"])
    assert [row[0] for row in rows] == ["训练精度", "测试精度"]
    assert rows[1] == ["测试精度", "0.9785", f"{ns['test_acc']:.4f}"]
    assert printed.rstrip().splitlines()[-1].startswith("【合成数据】")


def test_imdb(run_tiny, capsys):
    ns = run_tiny("3_4_imdb.py")
    folder = ns["model_path"].parent
    assert ns["x_train"].shape == (120, 30) and ns["x_train"].dtype == np.uint8
    assert set(ns["x_train"].ravel()) == {0, 1}
    for row, sequence in zip(ns["x_train"], ns["train_data"]):
        assert set(np.flatnonzero(row)) == set(sequence)
    assert ns["x_val"].shape == (40, 30) and ns["partial_x_train"].shape == (80, 30)
    np.testing.assert_array_equal(ns["x_val"], ns["x_train"][:40])
    assert ns["y_train"].dtype == np.float32
    assert [w.shape for w in ns["model"].get_weights()] == [
        (30, 16),
        (16,),
        (16, 16),
        (16,),
        (16, 1),
        (1,),
    ]
    keys = ["accuracy", "loss", "val_accuracy", "val_loss"]
    assert sorted(ns["history_dict"]) == keys
    assert ns["history_dict"]["loss"][-1] < ns["history_dict"]["loss"][0]
    assert ns["predictions"].shape == (40, 1)
    right = ns["right"]
    assert right.mean() == pytest.approx(ns["results"][1])
    # 未知词和超出 NUM_WORDS 的词都记作 2，词的编号加 3
    assert ns["my_sequence"] == [1, 8, 10, 2, 2]
    assert ns["my_x"].shape == (1, 30)
    assert images(folder) == ["accuracy", "loss"]
    assert_saved(folder, ns["model"], list(ns["history_dict"]), 3)
    printed = capsys.readouterr().out
    assert len(table_after(printed, ["设置", "验证精度", "测试精度"])) == 7
    rows = table_after(printed, ["项目", "书中", "本次"])
    assert rows[-1] == ["测试精度", "0.883", f"{ns['results'][1]:.4f}"]
    assert printed.count("判断对：") == printed.count("判断错：") == 2


def test_reuters(run_tiny, capsys):
    ns = run_tiny("3_5_reuters.py")
    folder = ns["model_path"].parent
    assert ns["x_train"].shape == (300, 60) and ns["x_train"].dtype == np.uint8
    assert ns["one_hot_train_labels"].shape == (300, 46)
    np.testing.assert_array_equal(
        ns["one_hot_train_labels"].argmax(axis=1), ns["train_labels"]
    )
    assert ns["partial_y_train"].shape == (240, 46)
    assert [w.shape for w in ns["bottleneck"].get_weights()][::2] == [
        (60, 64),
        (64, 4),
        (4, 46),
    ]
    assert ns["predictions"].shape == (80, 46)
    np.testing.assert_allclose(ns["predictions"].sum(axis=1), 1, rtol=1e-5)
    # 3.5.6：两种标签是同一个损失，只差浮点误差
    assert np.asarray(ns["sparse_losses"]).shape == (80,)
    assert ns["loss_difference"] < 1e-5 < np.std(ns["sparse_losses"])
    assert ns["sparse_acc"] == pytest.approx(ns["results"][1], abs=0.05)
    assert sorted(ns["test_labels_copy"]) == sorted(ns["test_labels"])
    assert ns["random_acc"] < 0.5
    assert ns["confusion"].sum() == 80
    accuracy = np.trace(ns["confusion"]) / 80
    assert accuracy == pytest.approx(ns["results"][1])
    assert images(folder) == ["accuracy", "confusion", "loss"]
    columns = list(ns["history"].history)
    assert_saved(folder, ns["model"], columns, 3)
    assert len(pd.read_csv(folder / "history_bottleneck.csv")) == 3
    printed = capsys.readouterr().out
    assert len(table_after(printed, ["设置", "验证精度", "测试精度"])) == 5
    rows = table_after(printed, ["项目", "书中", "本次"])
    assert rows[2] == ["测试精度", "0.797", f"{ns['results'][1]:.4f}"]


def test_boston(run_tiny, capsys):
    ns = run_tiny("3_6_boston.py")
    folder = ns["model_path"].parent
    np.testing.assert_allclose(ns["train_data"].mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(ns["train_data"].std(axis=0), 1)
    # 测试数据用训练数据的平均值和标准差，自己的平均值就不是 0
    assert abs(ns["test_data"].mean(axis=0)).max() > 0.05
    assert len(ns["all_scores"]) == 4
    assert ns["partial_train_data"].shape == (30, 13)
    # 最后一折的训练部分就是前 30 个样本
    np.testing.assert_array_equal(ns["partial_train_data"], ns["train_data"][:30])
    assert [len(h) for h in ns["all_mae_histories"]] == [14] * 4
    expected = np.mean(ns["all_mae_histories"], axis=0)
    np.testing.assert_allclose(ns["average_mae_history"], expected)
    assert len(ns["smooth_mae_history"]) == 4
    assert ns["smooth_curve"]([1.0, 2.0, 4.0]) == pytest.approx([1.0, 1.1, 1.39])
    assert expected[-1] < expected[0]
    errors = np.abs(ns["predictions"] - ns["test_targets"])
    assert errors.mean() == pytest.approx(ns["test_mae_score"], rel=1e-5)
    assert images(folder) == ["mae", "mae_smoothed", "predictions"]
    assert_saved(folder, ns["model"], ["val_mae"], 14)
    rows = table_after(capsys.readouterr().out, ["项目", "书中", "本次"])
    assert rows[-1][-2:] == ["2.55", f"{ns['test_mae_score']:.2f}"]
    # 取代 fit(数组) 的那一行：每轮每个样本恰好一次，次序每轮不同
    data, targets = np.arange(26.0).reshape(13, 2), np.arange(13.0)
    dataset = ns["shuffled_batches"](data, targets, 1)
    orders = []
    for _ in range(2):
        batches = [(x.numpy(), y.numpy()) for x, y in dataset]
        assert all(x.shape == (1, 2) and x[0, 0] == 2 * y[0] for x, y in batches)
        orders.append([y[0] for _, y in batches])
        assert sorted(orders[-1]) == list(targets)
    assert orders[0] != orders[1]


def test_cats_dogs(run_tiny, tmp_path, capsys, monkeypatch):
    my_photo = tmp_path / "我的猫.png"
    Image.fromarray(np.full((30, 80, 4), 200, "uint8")).save(my_photo)
    augmented = []  # 增强层每次收到的形状
    original = keras.layers.RandomShear.call
    monkeypatch.setattr(
        keras.layers.RandomShear,
        "call",
        lambda self, x, **k: augmented.append(x.shape) or original(self, x, **k),
    )
    ns = run_tiny("5_2_cats_dogs.py", MY_PHOTO=str(my_photo))
    folder = output.OUTPUT / "5_2_cats_dogs"
    assert ns["data_batch"].shape == (4, 46, 46, 3)
    assert ns["data_batch"].dtype == tf.uint8
    assert ns["labels_batch"].shape == (4, 1)
    # 卷积核、偏置逐层和书中一样；尺寸 46 → 1，所以 Flatten 之后只有 128
    shapes = [(3, 3, 3, 32), (32,), (3, 3, 32, 64), (64,), (3, 3, 64, 128), (128,)]
    shapes += [(3, 3, 128, 128), (128,), (128, 512), (512,), (512, 1), (1,)]
    for name in ("model", "augmented_model"):
        assert [w.shape for w in ns[name].get_weights()] == shapes
        assert isinstance(ns[name].optimizer, keras.optimizers.RMSprop)
        assert ns[name].layers[-1].compute_dtype == "float32"
    kinds = [type(layer).__name__ for layer in ns["augmented_model"].layers]
    assert kinds.index("Dropout") == kinds.index("Flatten") + 1
    kinds.remove("Dropout")
    assert kinds == [type(layer).__name__ for layer in ns["model"].layers]
    # 每个数据集的每张照片恰好一次，标签来自文件夹的名字
    for name, count in [("train", 16), ("validation", 8), ("test", 8)]:
        pairs = list(ns[f"{name}_images"].as_numpy_iterator())
        assert len(pairs) == count
        for image, y in pairs:
            assert image.dtype == np.uint8 and image.shape == (46, 46, 3)
            assert (image[:20].mean() < image[26:].mean()) == y[0]
    seen = [int(y[0]) for _, ys in ns["train_dataset"] for y in ys.numpy()]
    assert sorted(seen) == [0] * 8 + [1] * 8
    # 数据增强只作用在训练数据上：展示的 9 张，加上每批 8 张的训练数据
    assert set(augmented) == {(9, 46, 46, 3), (None, 46, 46, 3)}
    variants = np.asarray(ns["variants"])
    assert len({v.tobytes() for v in variants}) == 9
    assert variants.min() >= 0 and variants.max() <= 255
    batch, _ = next(iter(ns["augmented_dataset"]))
    assert batch.shape == (8, 46, 46, 3)
    # 学会了最简单的规律
    assert ns["history"]["loss"][-1] < ns["history"]["loss"][0]
    # 混淆矩阵、测试精度、画错的照片，三者是同一回事
    assert ns["confusion"].sum(axis=1).tolist() == [4, 4]
    right = np.trace(ns["confusion"]) / 8
    assert right == pytest.approx(ns["augmented_test_acc"])
    assert len(ns["wrong"]) == ns["confusion"].sum() - np.trace(ns["confusion"])
    distance = np.abs(ns["predictions"][ns["worst"]] - 0.5)
    assert (np.diff(distance) <= 0).all()
    names = ["augmented", "augmented_accuracy", "augmented_loss", "comparison"]
    assert images(folder) == sorted(
        [*names, "plain_accuracy", "plain_loss", "samples", "wrong"]
    )
    for number, model in [(1, ns["model"]), (2, ns["augmented_model"])]:
        saved = keras.models.load_model(folder / f"cats_and_dogs_small_{number}.keras")
        for a, b in zip(saved.get_weights(), model.get_weights()):
            np.testing.assert_array_equal(a, b)
        table = pd.read_csv(folder / f"history_{number}.csv")
        assert list(table["epoch"]) == [1, 2, 3]
        assert table.notna().all(axis=None)
    printed = capsys.readouterr().out
    rows = table_after(printed, ["项目", "书中", "本次"])
    mean = np.mean(ns["augmented_history"]["val_accuracy"][-5:])
    assert rows[2] == ["数据增强训练的轮数", "100", "3"]
    assert rows[1] == ["验证精度，有数据增强", "0.82", f"{mean:.3f}"]
    assert ns["photo"].shape == (46, 46, 3) and (ns["photo"] == 200).all()
    assert f"{my_photo}：是{ns['verdict']}，狗的概率" in printed
    # 自己的照片缩放得和训练的照片一样；两种解码 JPEG 的程序相差两三级
    again = ns["load_photo"](ns["pictures"](ns["test_cats_dir"])[0], (46, 46))
    assert np.abs(again.astype(int) - ns["photos"][0]).mean() < 2


def test_cats_dogs_goes_on_where_it_was_interrupted(run_tiny, capsys, monkeypatch):
    """第二个网络训练到第 2 轮时被打断，再运行一次：只补剩下的轮次"""
    backup, trained = keras.callbacks.BackupAndRestore, []
    original = backup.on_epoch_end

    def interrupted(self, epoch, logs=None):
        original(self, epoch, logs)
        trained.append(epoch)
        if len(trained) == 5:
            raise KeyboardInterrupt

    monkeypatch.setattr(backup, "on_epoch_end", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run_tiny("5_2_cats_dogs.py")
    folder = output.OUTPUT / "5_2_cats_dogs"
    before = pd.read_csv(folder / "checkpoints" / "2" / "history.csv")
    assert not (folder / "cats_and_dogs_small_2.keras").exists()
    capsys.readouterr()
    skip, skipped = tf.data.Dataset.skip, []
    monkeypatch.setattr(
        tf.data.Dataset,
        "skip",
        lambda self, count: skipped.append(count) or skip(self, count),
    )
    ns = run_tiny("5_2_cats_dogs.py")
    assert trained == [0, 1, 2, 0, 1, 2]
    assert skipped == [8]  # 照片也接着取，前两轮的 8 批不再用
    printed = capsys.readouterr().out
    assert "3 轮上次已经训练完" in printed and "前 2 轮不用重来" in printed
    assert ns["augmented_history"]["loss"][:2] == list(before["loss"])
    assert len(ns["augmented_history"]["loss"]) == len(ns["history"]["loss"]) == 3
    # 第一个网络没有重新训练，权重就是上次训练好的
    first = keras.models.load_model(folder / "cats_and_dogs_small_1.keras")
    assert (ns["model"].get_weights()[0] == first.get_weights()[0]).all()
    assert ns["model"].optimizer.iterations == 12
    assert ns["augmented_model"].optimizer.iterations == 12


def blow_up(original):
    """代替 TimeLeft.on_epoch_end：第二轮之后，权重全变成 nan"""

    def on_epoch_end(self, epoch, logs=None):
        original(self, epoch, logs)
        if epoch == 1:
            self.model.set_weights([w * np.nan for w in self.model.get_weights()])

    return on_epoch_end


def test_cats_dogs_blows_up_midway(run_tiny, monkeypatch, capsys):
    """训练到一半变成 nan：马上停下，不存盘；存过的还在，再运行从那里接着来"""
    original = training.TimeLeft.on_epoch_end
    with monkeypatch.context() as patch:
        patch.setattr(training.TimeLeft, "on_epoch_end", blow_up(original))
        with pytest.raises(
            Fault, match="第 2 轮.*训练垮了，这一轮不存盘.*checkpoints.1"
        ):
            run_tiny("5_2_cats_dogs.py")
    ns = run_tiny("5_2_cats_dogs.py")
    assert "前 1 轮不用重来" in capsys.readouterr().out
    assert len(ns["history"]["loss"]) == 3 and np.isfinite(ns["history"]["loss"]).all()


def test_cats_dogs_other_photos(run_tiny, monkeypatch, capsys):
    """照片换成别的，张数一样：从头训练"""
    ns = run_tiny("5_2_cats_dogs.py", AUGMENTED_EPOCHS=1)
    monkeypatch.setattr(synthetic_photos, "make_cats_dogs", lambda *arguments: None)
    Image.new("RGB", (60, 60)).save(ns["paths"][0])
    run_tiny("5_2_cats_dogs.py", AUGMENTED_EPOCHS=1)
    assert capsys.readouterr().out.count("上次的训练用的是别的网络、设置或数据") == 2


def test_cats_dogs_misspelt_photo(run_tiny, tmp_path, capsys):
    """MY_PHOTO 写错了，训练之前就说"""
    with pytest.raises(Fault, match="没有这张照片"):
        run_tiny("5_2_cats_dogs.py", MY_PHOTO=str(tmp_path / "none.jpg"))
    assert "Epoch" not in capsys.readouterr().out


ALL_EXPERIMENTS = [
    *("dense", "gru", "gru_dropout", "stacked", "reversed"),
    *("imdb_reversed", "imdb_bidirectional", "bidirectional"),
]


def test_jena_temp(run_tiny, capsys):
    ns = run_tiny("6_3_jena_temp.py")
    folder = output.OUTPUT / "6_3_jena_temp"
    assert set(ns["histories"]) == {*ALL_EXPERIMENTS, *(f"idea_{i}" for i in range(5))}
    # 标准化只用训练部分
    assert ns["num_train"] == 428 and ns["val_end"] == 642
    np.testing.assert_allclose(ns["float_data"][:428].mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(ns["float_data"][:428].std(axis=0), 1)
    # 书中的网络：多出来的偏置是 reset_after=True 带来的
    weights = {
        name: [w.shape for w in keras.models.load_model(path / "best.keras").weights]
        for name, path in ns["folders"].items()
    }
    gru, dense = [(14, 96), (32, 96), (2, 96)], [(32, 1), (1,)]
    assert weights["dense"] == [(8 * 14, 32), (32,), *dense]
    for name in ("gru", "gru_dropout", "reversed"):
        assert [w for w in weights[name] if w != (2,)] == [*gru, *dense]
    stacked = [*gru, (32, 192), (64, 192), (2, 192), (64, 1), (1,)]
    assert [w for w in weights["stacked"] if w != (2,)] == stacked
    assert weights["bidirectional"] == [*gru, *gru, (64, 1), (1,)]
    assert weights["imdb_reversed"][:2] == [(30, 128), (128, 128)]
    assert weights["imdb_bidirectional"][:2] == [(30, 32), (32, 128)]
    assert weights["idea_1"][0] == (14, 192) and weights["idea_3"][0] == (14, 128)
    # 最好的网络：验证损失最低，而且就是用来测试、画图的那个
    losses = {
        name: min(ns["histories"][name]["val_loss"])
        for name in ALL_EXPERIMENTS
        if "imdb" not in name and name != "reversed"
    }
    assert losses[ns["best_name"]] == min(losses.values())
    val_loss = ns["best_model"].evaluate(ns["val_data"], verbose=0)
    assert val_loss == pytest.approx(losses[ns["best_name"]], rel=1e-4)
    assert ns["preds"].shape == ns["targets"].shape == (900 - 24 - 642 - 1 - 48,)
    # 每轮正好 3 步，一次执行多步的密集连接网络也一样
    for name, path in ns["folders"].items():
        if "imdb" not in name:
            best = keras.models.load_model(path / "best.keras")
            epoch = np.argmin(ns["histories"][name]["val_loss"]) + 1
            assert best.optimizer.iterations == 3 * epoch
    expected = {"temperature", "first_10_days", "week"}
    assert expected <= set(images(folder))
    for name in ALL_EXPERIMENTS:
        assert f"{name}_loss" in images(folder)
        assert len(pd.read_csv(folder / f"{name}.csv")) == 2
    printed = capsys.readouterr().out
    assert "风速等于 -9999 的有 1 行，行号： [550]" in printed
    assert "重复的时间： 1 个" in printed
    assert "清洗之后剩 899 行" in printed
    rows = table_after(printed, ["项目", "书中", "本次", "摄氏度", "轮数", "每轮秒"])
    assert len(rows) == 9
    celsius = ns["std"][1]
    naive = ns["naive_mae"]
    assert rows[0] == ["基准方法", "0.2897", f"{naive:.4f}", f"{naive * celsius:.2f}"]
    best = min(ns["histories"]["gru"]["val_loss"])
    assert rows[2][:5] == ["GRU", "0.2644", f"{best:.4f}", f"{best * celsius:.2f}", "2"]
    assert all(float(row[-1]) > 0 for row in rows[1:])


def test_jena_windows_are_the_book_s(run_tiny):
    """每个窗口和目标都等于定义：row 之前每小时一个点，row 之后 DELAY 行的气温"""
    ns = run_tiny("6_3_jena_temp.py", EXPERIMENTS=[])
    data, train, val_end = ns["float_data"], ns["num_train"], ns["val_end"]
    lookback, step, delay = 48, 6, 24

    def by_definition(row):
        samples = [data[i] for i in range(row - lookback, row, step)]
        return np.array(samples, "float32"), np.float32(data[row + delay][1])

    def rows_of(dataset):
        return [int(r) for r in dataset.as_numpy_iterator()]

    # 验证和测试按顺序，一个不漏；最后一个目标正好是最后一行之前
    val_rows, test_rows = rows_of(ns["val_rows"]), rows_of(ns["test_rows"])
    assert val_rows == list(range(train + 1 + lookback, val_end))
    assert test_rows == list(range(val_end + 1 + lookback, len(data) - delay))
    for dataset, rows in [(ns["val_data"], val_rows), (ns["test_data"], test_rows)]:
        parts = list(dataset.as_numpy_iterator())
        samples, targets = (np.concatenate(arrays) for arrays in zip(*parts))
        assert samples.dtype == targets.dtype == "float32"
        expected = [by_definition(row) for row in rows]
        np.testing.assert_array_equal(samples, np.array([s for s, _ in expected]))
        np.testing.assert_array_equal(targets, np.array([t for _, t in expected]))
    # 训练的 row 取遍 [lookback, num_train)，输入不碰验证部分
    sampled = set()
    for rows in ns["train_rows"].take(1500).as_numpy_iterator():
        assert rows.shape == (16,)
        sampled |= set(rows.tolist())
    assert sampled == set(range(lookback, train))
    # 中断之后接着抽，抽到的就是没有中断时的那些
    whole = list(ns["train_data"].take(5).as_numpy_iterator())
    for (a, b), (c, d) in zip(whole[3:], ns["train_data"].skip(3).as_numpy_iterator()):
        np.testing.assert_array_equal(a, c)
        np.testing.assert_array_equal(b, d)
    assert not any((a[0] == whole[0][0]).all() for a in whole[1:])
    # 训练的批里确实是这样的窗口
    index = {by_definition(row)[0].tobytes(): row for row in range(lookback, train)}
    for samples, targets in ns["train_data"].take(5).as_numpy_iterator():
        assert samples.shape == (16, 8, 14)
        for sample, target in zip(samples, targets):
            row = index[sample.tobytes()]
            assert target == by_definition(row)[1]
    # 基准方法：窗口里最后一个气温，也就是 row 之前一小时的
    errors = [abs(data[row - step, 1] - data[row + delay, 1]) for row in val_rows]
    assert ns["naive_mae"] == pytest.approx(np.mean(errors), rel=1e-5)
    # 逆序只是倒过来
    samples, targets = ns["windows"](np.array([100, 200]))
    backwards, same = ns["reverse"](samples, targets)
    np.testing.assert_array_equal(backwards, samples.numpy()[:, ::-1])
    np.testing.assert_array_equal(same, targets)


def test_jena_finished_experiments_are_kept(run_tiny, capsys):
    """再加一个实验：做过的不再做，只做新的；设置改了，全部重来"""
    first = run_tiny("6_3_jena_temp.py", EXPERIMENTS=["dense", "gru"])
    capsys.readouterr()
    second = run_tiny("6_3_jena_temp.py", EXPERIMENTS=["gru", "dense", "bidirectional"])
    printed = capsys.readouterr().out
    assert printed.count("2 轮上次已经训练完") == 2
    assert printed.count("Epoch 2/2") == 1
    assert second["histories"]["gru"] == first["histories"]["gru"]
    assert second["seconds"]["gru"] == first["seconds"]["gru"]
    run_tiny("6_3_jena_temp.py", EXPERIMENTS=["dense"], STEPS_PER_EPOCH=2)
    printed = capsys.readouterr().out
    assert "从头开始" in printed and printed.count("Epoch 2/2") == 1


def test_jena_other_data_of_the_same_length(run_tiny, tmp_path, capsys):
    """换了一份 CSV，行数碰巧相同：也从头训练，不拿上次的结果充数"""
    table = tiny_data.make_jena(600)
    table.index = table.index.strftime("%d.%m.%Y %H:%M:%S")
    csv = {"JENA_CSV": str(tmp_path / "x.csv"), "EXPERIMENTS": ["dense"]}
    table.to_csv(tmp_path / "x.csv")
    run_tiny("6_3_jena_temp.py", **csv)
    (table + 1).to_csv(tmp_path / "x.csv")
    capsys.readouterr()
    run_tiny("6_3_jena_temp.py", **csv)
    printed = capsys.readouterr().out
    assert "从头开始" in printed and printed.count("Epoch 2/2") == 1


def test_jena_blows_up_midway(run_tiny, monkeypatch):
    """训练到一半变成 nan：马上停下，不存盘；存过的还在，再运行从那里接着来"""
    original = training.TimeLeft.on_epoch_end
    with monkeypatch.context() as patch:
        patch.setattr(training.TimeLeft, "on_epoch_end", blow_up(original))
        with pytest.raises(Fault, match="第 2 轮.*训练垮了，这一轮不存盘.*dense"):
            run_tiny("6_3_jena_temp.py", EXPERIMENTS=["dense"])
    ns = run_tiny("6_3_jena_temp.py", EXPERIMENTS=["dense"])
    assert np.isfinite(ns["histories"]["dense"]["val_loss"]).all()
    assert len(ns["histories"]["dense"]["val_loss"]) == 2


def test_jena_synthetic_reviews_do_not_spoil_the_weather(
    run_tiny, monkeypatch, tmp_path
):
    """天气是真的、影评是合成的：历史各标各的；做没做影评，双向 GRU 的结果都接得上"""
    table = tiny_data.make_jena(900)
    table.index = table.index.strftime("%d.%m.%Y %H:%M:%S")
    table.to_csv(tmp_path / "x.csv")
    csv = {"JENA_CSV": str(tmp_path / "x.csv")}
    both = ["imdb_reversed", "bidirectional"]
    ns = run_tiny("6_3_jena_temp.py", EXPERIMENTS=both, **csv)
    folder = output.OUTPUT / "6_3_jena_temp"
    assert "data" in pd.read_csv(folder / "imdb_reversed.csv")
    assert "data" not in pd.read_csv(folder / "bidirectional.csv")
    assert output.synthetic_in_use == {"imdb"}
    monkeypatch.setattr(output, "synthetic_in_use", set())
    again = run_tiny("6_3_jena_temp.py", EXPERIMENTS=["bidirectional"], **csv)
    assert again["seconds"]["bidirectional"] == ns["seconds"]["bidirectional"]


def test_jena_experiment_of_that_name_does_not_exist(run_tiny, capsys):
    with pytest.raises(Fault, match="EXPERIMENTS.*gruu"):
        run_tiny("6_3_jena_temp.py", EXPERIMENTS=["gru", "gruu"])


def test_jena_own_csv(run_tiny, tmp_path, capsys):
    """JENA_CSV：按同样的比例划分，不算合成数据；太短、没有，都说清楚"""
    table = tiny_data.make_jena(600)
    table.index = table.index.strftime("%d.%m.%Y %H:%M:%S")
    path = tmp_path / "自己的.csv"
    table.to_csv(path)
    ns = run_tiny("6_3_jena_temp.py", EXPERIMENTS=["dense"], JENA_CSV=str(path))
    assert (len(ns["table"]), ns["num_train"], ns["val_end"]) == (600, 285, 428)
    assert ns["steps_per_epoch"] == 1
    np.testing.assert_allclose(ns["table"], table)
    assert "合成数据" not in capsys.readouterr().out
    table[:200].to_csv(path)
    with pytest.raises(Fault, match="只有 200 行.*JENA_CSV"):
        run_tiny("6_3_jena_temp.py", EXPERIMENTS=["dense"], JENA_CSV=str(path))
    with pytest.raises(Fault, match="JENA_CSV"):
        run_tiny("6_3_jena_temp.py", JENA_CSV=str(tmp_path / "none.csv"))
    tiny_data.make_jena(600).assign(**{"rh (%)": 50.0}).to_csv(
        path, date_format="%d.%m.%Y %H:%M:%S"
    )
    with pytest.raises(Fault, match=r"rh \(%\) 在训练集里始终不变"):
        run_tiny("6_3_jena_temp.py", EXPERIMENTS=["dense"], JENA_CSV=str(path))


def test_same_seed_same_numbers(run_tiny):
    """固定种子之后，两次运行的结果逐位相同"""
    first, second = run_tiny("2_1_mnist.py"), run_tiny("2_1_mnist.py")
    other = run_tiny("2_1_mnist.py", SEED=7)
    np.testing.assert_array_equal(first["predictions"], second["predictions"])
    assert first["history"].history == second["history"].history
    assert first["history"].history != other["history"].history


def real_process(tmp_path, *arguments):
    """subprocess 的参数：在微型数据上运行脚本，没有图形界面，控制台是 GBK"""
    elsewhere = tmp_path / "别的 文件夹"
    elsewhere.mkdir(exist_ok=True)
    env = {k: v for k, v in os.environ.items() if k not in {"MPLBACKEND", "DISPLAY"}}
    env |= {
        "DLPY_DATA": "synthetic",
        "PYTHONIOENCODING": "gbk",
        "TEST_OUTPUT": str(tmp_path / "输出"),
    }
    env.pop("TF_CPP_MIN_LOG_LEVEL", None)
    command = [sys.executable, str(ROOT / "tests" / "harness.py"), *arguments]
    return {"args": command, "cwd": elsewhere, "env": env}


@pytest.mark.skipif(os.name == "nt", reason="Windows 上不能只给一个进程发 Ctrl-C")
def test_ctrl_c_in_training_is_one_line(tmp_path):
    """训练中按 Ctrl-C：标准错误里只有一句中文，训练好的轮次都留着"""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    settings = real_process(tmp_path, "5_2_cats_dogs.py", "EPOCHS=10000")
    with subprocess.Popen(**settings, **pipes) as process:
        started = any(line.startswith(b"Epoch 4/") for line in process.stdout)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    folder = tmp_path / "输出" / "5_2_cats_dogs" / "checkpoints" / "1"
    assert len(training.whole_history(folder)["loss"]) >= 3
    assert (folder / "backup" / "latest.weights.h5").exists()
    message = explain(KeyboardInterrupt()) + "\n"
    ended = (started, process.returncode, err.decode("gbk"))
    assert ended == (True, -signal.SIGINT, message)


def test_jena_goes_on_after_a_kill(tmp_path):
    """训练到一半被强行结束，再运行一次：做完的实验不再做，没做完的接着做"""
    changes = ["EXPERIMENTS=['dense', 'gru_dropout']", "DROPOUT_EPOCHS=10000"]
    settings = real_process(tmp_path, "6_3_jena_temp.py", *changes)
    with subprocess.Popen(**settings, stdout=subprocess.PIPE) as process:
        for line in process.stdout:
            if line.startswith(b"Epoch 4/"):
                process.kill()
    folder = tmp_path / "输出" / "6_3_jena_temp" / "checkpoints" / "gru_dropout"
    epochs = len(training.whole_history(folder)["loss"])
    assert epochs >= 3
    changes[1] = f"DROPOUT_EPOCHS={epochs + 3}"
    settings = real_process(tmp_path, "6_3_jena_temp.py", *changes)
    process = subprocess.run(**settings, capture_output=True, timeout=120)
    out = process.stdout.decode("gbk")
    assert process.returncode == 0, process.stderr.decode("gbk")
    assert out.count("2 轮上次已经训练完") == 1
    done = int(re.search(r"前 (\d+) 轮不用重来", out)[1])
    # 记下一轮之后、存好网络之前被结束，那一轮要重来
    assert done in {epochs - 1, epochs}
    assert out.count("Epoch ") == epochs + 3 - done
    table = pd.read_csv(tmp_path / "输出" / "6_3_jena_temp" / "gru_dropout.csv")
    assert list(table["epoch"]) == list(range(1, epochs + 4))


@pytest.mark.parametrize("script", SCRIPTS)
def test_as_a_real_process(script, tmp_path):
    """在别的文件夹里、没有图形界面、控制台是 GBK：输出文件齐全，标准错误是空的"""
    settings = real_process(tmp_path, script)
    process = subprocess.run(**settings, capture_output=True, timeout=120)
    out, err = process.stdout.decode("gbk"), process.stderr.decode("gbk")
    assert (process.returncode, err) == (0, "")
    assert "项目 书中" in re.sub(" +", " ", out)
    assert out.rstrip().count("【合成数据】「本次」是在合成数据") == 1
    folder = tmp_path / "输出" / script.removesuffix(".py")
    assert {".keras", ".csv"} <= {path.suffix for path in folder.iterdir()}
    assert images(folder)
    assert list(settings["cwd"].iterdir()) == []
