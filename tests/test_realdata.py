"""在真实数据上运行各个脚本，数字要达到书中的水平；共七八分钟，缓存里没有数据就跳过"""

from common import datasets
from common.download import cache_dir

import harness
import keras
import numpy as np
import pytest

pytestmark = pytest.mark.realdata


def run_real(file, script, **constants):
    """缓存里有 file 才运行；只改 constants 里的常量，只认真实数据"""
    if not (cache_dir() / file).exists():
        pytest.skip(f"缓存里没有 {file}")
    return script and harness.execute_full(script, **constants)


@pytest.mark.parametrize("name", ["imdb", "reuters", "boston_housing"])
def test_equal_to_keras(name):
    """和 keras.datasets 读出来的逐个相同"""
    run_real(f"{name}.npz", None)
    words = {} if name == "boston_housing" else {"num_words": 10_000}
    ours = getattr(datasets, f"load_{name.split('_')[0]}")(**words)
    theirs = getattr(keras.datasets, name).load_data(**words)
    for pair, pair_keras in zip(ours, theirs, strict=True):
        for a, b in zip(pair, pair_keras, strict=True):
            assert a.dtype == b.dtype and a.shape == b.shape
            assert all(np.array_equal(x, y) for x, y in zip(a, b))
    if words:
        index = getattr(keras.datasets, name).get_word_index()
        assert datasets.load_word_index(name) == index


def test_mnist():
    ns = run_real("mnist.npz", "2_1_mnist.py")
    assert ns["test_acc"] >= 0.978
    assert ns["history"].history["accuracy"][-1] > ns["test_acc"] + 0.003


def test_imdb():
    """过拟合：验证损失先降后升，训练损失一路下降"""
    ns = run_real("imdb.npz", "3_4_imdb.py", experiments=[])
    assert ns["decoded_review"].startswith("? this film was just brilliant casting")
    assert ns["results"][1] >= 0.88
    val_loss, loss = ns["history_dict"]["val_loss"], ns["history_dict"]["loss"]
    assert 2 <= ns["best_epoch"] <= 6 and val_loss[-1] > 1.5 * min(val_loss)
    assert loss[-1] < 0.1 * loss[0]
    assert ns["probability"] < 0.5  # waste of time, boring, awful：判断为负面
    assert len(ns["known"]) > 10


def test_reuters():
    ns = run_real("reuters.npz", "3_5_reuters.py", experiments={})
    assert (len(ns["train_data"]), ns["train_labels"][10]) == (8982, 3)
    assert ns["decoded_newswire"].startswith("? ? ? said as a result of its december")
    assert ns["results"][1] >= 0.78 and 0.16 < ns["random_acc"] < 0.21
    assert 5 <= ns["drop"] <= 15
    assert abs(ns["sparse_acc"] - ns["results"][1]) < 0.02
    val_loss = ns["history"].history["val_loss"]
    assert val_loss[-1] > min(val_loss)


def test_boston():
    """第二次 K 折验证也只做 100 轮"""
    ns = run_real("boston_housing.npz", "3_6_boston.py", LONG_NUM_EPOCHS=100)
    assert ns["test_mae_score"] <= 2.9
    assert 2.0 < np.mean(ns["all_scores"]) < 3.2


def test_cats_dogs():
    """瞎猜是 0.5；1 000 张照片，标准误差 0.016"""
    changes = {"EPOCHS": 8, "AUGMENTED_EPOCHS": 2}
    ns = run_real("cats_and_dogs_small", "5_2_cats_dogs.py", **changes)
    assert ns["model"].count_params() == 3_453_121
    assert len(list(ns["train_dogs_dir"].glob("*.jpg"))) == 1000
    assert max(ns["history"]["val_accuracy"]) > 0.62 and ns["plain_test_acc"] > 0.58
    assert ns["history"]["loss"][-1] < 0.6 < ns["history"]["loss"][0]
    loss = ns["augmented_history"]["loss"]
    assert loss[1] < loss[0] and ns["confusion"].sum() == 1000


def test_jena_2024_sample():
    """同一个气象站 2024 年 6 到 10 月的记录：GRU 在没见过的验证集上胜过基准方法

    训练集只有两个月的夏天，看得太久、训练得太多就只会背；9 月底起的测试集冷得多，没学过
    """
    name = "jena_2024_sample.csv"
    changes = {"JENA_CSV": str(cache_dir() / name), "EPOCHS": 12, "LOOKBACK": 288}
    ns = run_real(name, "6_3_jena_temp.py", until="6.3.6", **changes)
    assert ns["train_steps"] == 22
    assert min(ns["gru"].history["val_loss"]) < 0.95 * ns["naive_mae"]


def test_gan():
    """50 步：损失都是有限的数，判别器在学；尺子分得出真假"""
    file = "cifar-10-python.tar.gz"
    file = file if (cache_dir() / file).exists() else "cifar10_images/train/frog"
    changes = {"ITERATIONS": 50, "SAVE_EVERY": 25, "FILTERS": 256}  # 书中的网络
    ns = run_real(file, "8_5_gan.py", **changes)
    assert ns["frogs"].shape == (5000, 32, 32, 3)
    assert ns["generator"].count_params() == 6_264_579
    assert ns["discriminator"].count_params() == 790_913
    losses = np.array([ns["history"]["d_loss"], ns["history"]["a_loss"]])
    assert losses.shape == (2, 50) and np.isfinite(losses).all()
    assert losses[0, -10:].mean() < losses[0, 0]  # 判别器开始分得清
    images = ns["draw"](ns["fixed_latent_vectors"][:20])
    assert images.std(axis=0).mean() > 1  # 不同的点，画的不同
    assert abs(ns["real_distance"]) < 0.1 < ns["distance"] and ns["noise_distance"] > 1
