"""在真实数据上运行各个脚本，数字要达到书中的水平；共十分钟左右

5.2 节的照片是全部用上的，只是训练的轮次少，能看出在学就行

    python -m pytest -m realdata

缓存里没有数据就跳过；先运行 python -m common.datasets download
"""

import os

from common import datasets, frogs, jena

import harness
import numpy as np
import pytest

pytestmark = pytest.mark.realdata


@pytest.fixture
def run_real(monkeypatch):
    """run_real("mnist", "2_1_mnist.py")：不改任何常量，只认真实数据"""
    monkeypatch.setenv("DLPY_DATA", "real")

    def run(name, script):
        for file in datasets.DATASETS[name]:
            if not (datasets.cache_dir() / file.name).exists():
                pytest.skip(f"缓存里没有 {file.name}")
        return harness.execute_full(script)

    return run


def test_mnist(run_real):
    ns = run_real("mnist", "2_1_mnist.py")
    assert ns["test_acc"] >= 0.978
    assert ns["history"].history["accuracy"][-1] > ns["test_acc"] + 0.003


def test_imdb(run_real):
    ns = run_real("imdb", "3_4_imdb.py")
    assert ns["decoded_review"].startswith("? this film was just brilliant casting")
    assert ns["x_train"].shape == (25000, 10000)
    assert ns["results"][1] >= 0.875
    # 过拟合：验证损失先降后升，训练损失一路下降
    val_loss, loss = ns["history_dict"]["val_loss"], ns["history_dict"]["loss"]
    assert 2 <= ns["best_epoch"] <= 6
    assert val_loss[-1] > 1.5 * min(val_loss)
    assert loss[-1] < 0.1 * loss[0]
    assert ns["verdict"] == "负面"


def test_reuters(run_real):
    ns = run_real("reuters", "3_5_reuters.py")
    assert (len(ns["train_data"]), len(ns["test_data"])) == (8982, 2246)
    assert ns["train_labels"][10] == 3
    assert ns["results"][1] >= 0.78
    assert 0.16 < ns["random_acc"] < 0.21
    assert 5 <= ns["drop"] <= 15
    val_loss = ns["history"].history["val_loss"]
    assert val_loss[-1] > min(val_loss)


def test_cats_dogs(monkeypatch):
    monkeypatch.setenv("DLPY_DATA", "real")
    if not (datasets.cache_dir() / "cats_and_dogs_small").exists():
        pytest.skip("缓存里没有 cats_and_dogs_small")
    script = "5_2_cats_dogs.py"
    ns = harness.execute_full(script, EPOCHS=8, AUGMENTED_EPOCHS=2)
    assert ns["model"].count_params() == 3_453_121
    assert len(os.listdir(ns["train_dogs_dir"])) == 1000
    assert len(os.listdir(ns["test_cats_dir"])) == 500
    # 瞎猜是 0.5；1 000 张照片，标准误差 0.016
    assert max(ns["history"]["val_accuracy"]) > 0.62
    assert ns["history"]["loss"][-1] < 0.6 < ns["history"]["loss"][0]
    assert ns["test_acc"] > 0.58
    loss = ns["augmented_history"]["loss"]
    assert loss[1] < loss[0] < 0.71
    assert ns["confusion"].sum() == 1000


def test_jena_naive_method(monkeypatch):
    """书中的文件，基准方法应得 0.2897；文件拿不到就跳过"""
    monkeypatch.setenv("DLPY_DATA", "real")
    if not any(path.exists() for path in jena._candidates()):
        pytest.skip(f"缓存里没有 {jena.NAME}")
    ns = harness.execute_full("6_3_jena_temp.py", EXPERIMENTS=[])
    assert len(ns["table"]) == 420_551
    assert (ns["wind"] == -9999).to_numpy().any()
    assert ns["table"].index.duplicated().any()
    assert abs(ns["naive_mae"] - 0.2897) < 0.0005
    assert abs(ns["naive_mae"] * ns["celsius"] - 2.57) < 0.01


def test_jena_2024_sample(monkeypatch):
    """同一个气象站 2024 年 6 到 10 月的记录：GRU 在没见过的验证集上胜过基准方法

    训练集只有两个月的夏天，看得太久、训练得太多就只会背；9 月底起的测试集冷得多，没学过
    """
    path = datasets.cache_dir() / "jena_2024_sample.csv"
    if not path.exists():
        pytest.skip(f"缓存里没有 {path.name}")
    changes = {"EXPERIMENTS": ["gru"], "EPOCHS": 12, "JENA_CSV": str(path)}
    changes |= {"LOOKBACK": 288}
    ns = harness.execute_full("6_3_jena_temp.py", **changes)
    assert len(ns["table"]) == 19_132
    assert ns["steps_per_epoch"] == 22
    assert min(ns["histories"]["gru"]["val_loss"]) < 0.95 * ns["naive_mae"]


def test_gan(monkeypatch):
    """50 步：损失都是有限的数，两个网络都在动；尺子分得出真假"""
    monkeypatch.setenv("DLPY_DATA", "real")
    if not list(frogs._sources()):
        pytest.skip("缓存里没有 CIFAR-10 的青蛙")
    constants = {"ITERATIONS": 50, "SAVE_EVERY": 25, "FILTERS": 256}  # 书中的网络
    ns = harness.execute_full("8_5_gan.py", **constants)
    assert ns["frogs"].shape == (5000, 32, 32, 3)
    assert ns["generator"].count_params() == 6_264_579
    assert ns["discriminator"].count_params() == 790_913
    assert np.isfinite([ns["history"]["d_loss"], ns["history"]["a_loss"]]).all()
    before = {name: ns[name].get_weights() for name in ("generator", "discriminator")}
    ns["train_step"](ns["real_images"])
    for name, weights in before.items():
        assert all((a != b).any() for a, b in zip(weights, ns[name].get_weights()))
    noise, _ = ns["measure"](ns["extract"](ns["noise"]))
    real, _ = ns["measure"](ns["other_features"])
    assert abs(real) < 0.1 < min(ns["quality"]["distance"])
    assert noise > 1


def test_boston(run_real):
    ns = run_real("boston", "3_6_boston.py")
    assert ns["test_mae_score"] <= 2.9
    assert 2.0 < np.mean(ns["all_scores"]) < 3.2
    assert max(ns["all_scores"]) - min(ns["all_scores"]) > 0.2
    # 训练再久也不再进步，只会变差
    smooth = ns["smooth_mae_history"]
    assert ns["best_epoch"] < 250 and smooth[-1] > min(smooth)
