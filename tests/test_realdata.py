"""在真实数据上完整运行四个脚本，数字要达到书中的水平；共几分钟

    python -m pytest -m realdata

缓存里没有数据就跳过；先运行 python -m common.datasets download
"""

from common import datasets

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


def test_boston(run_real):
    ns = run_real("boston", "3_6_boston.py")
    assert ns["test_mae_score"] <= 2.9
    assert 2.0 < np.mean(ns["all_scores"]) < 3.2
    assert max(ns["all_scores"]) - min(ns["all_scores"]) > 0.2
    # 训练再久也不再进步，只会变差
    smooth = ns["smooth_mae_history"]
    assert ns["best_epoch"] < 250 and smooth[-1] > min(smooth)
