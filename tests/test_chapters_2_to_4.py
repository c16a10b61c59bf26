"""第 2 到 4 章的脚本，在微型数据上"""

import keras
import numpy as np
import pandas as pd
import pytest
from look import assert_saved, comparison, images, shapes, table_after


def test_mnist(finished, run_tiny):
    run = finished("2_1_mnist.py")
    ns, history = run.ns, run.ns["history"].history
    assert ns["x_train"].shape == (640, 784) and ns["x_train"].dtype == "float32"
    expected = ns["train_images"].reshape(640, 784) / 255
    np.testing.assert_allclose(ns["x_train"], expected, rtol=1e-6)
    np.testing.assert_array_equal(ns["y_train"], np.eye(10)[ns["train_labels"]])
    assert shapes(ns["network"]) == [(784, 512), (512,), (512, 10), (10,)]
    assert set(history) == {"accuracy", "loss"} and len(history["loss"]) == 3
    assert history["loss"][-1] < history["loss"][0]
    assert ns["network"].optimizer.iterations == 3 * 20
    # 认错的都在里面，最有把握的 20 张在前；有 30 个标签是错的，所以一定有认错的
    right = ns["predicted"] == ns["test_labels"]
    assert right.mean() == pytest.approx(ns["test_acc"]) and (~right).sum() >= 30
    np.testing.assert_array_equal(ns["wrong"], np.flatnonzero(~right))
    sure = ns["predictions"].max(axis=1)
    assert sure[ns["worst"]].tolist() == sorted(sure[~right])[::-1][:20]
    assert ns["test_acc"] > 0.5  # 10 类，瞎猜是 0.1
    assert images(run.folder) == ["samples", "wrong"]
    assert_saved(ns["model_path"], ns["network"])
    row = comparison(run.printed)[1]
    assert row == ["测试精度", "0.9785", f"{ns['test_acc']:.4f}"]
    # 固定种子之后，两次运行的结果逐位相同
    second, other = run_tiny("2_1_mnist.py"), run_tiny("2_1_mnist.py", SEED=7)
    np.testing.assert_array_equal(ns["predictions"], second["predictions"])
    assert history == second["history"].history != other["history"].history


def test_tensors(finished):
    """每个循环都和 NumPy 相等，也不改动传进来的张量；密集连接层就是这几种运算"""
    run = finished("2_2_tensors.py")
    ns, x, y = run.ns, *np.random.default_rng(0).normal(size=(2, 4, 5))
    before = x.copy()
    for result, expected in [
        (ns["naive_relu"](x), np.maximum(x, 0)),
        (ns["naive_add"](x, y), x + y),
        (ns["naive_add_matrix_and_vector"](x, y[0]), x + y[0]),
        (ns["naive_vector_dot"](x[0], y[0]), x[0] @ y[0]),
        (ns["naive_matrix_vector_dot"](x, y[0]), x @ y[0]),
        (ns["naive_matrix_dot"](x, y.T), x @ y.T),
    ]:
        np.testing.assert_allclose(result, expected)
    np.testing.assert_array_equal(x, before)
    assert run.printed.count("相等 True") == 6 and "相等 False" not in run.printed
    np.testing.assert_allclose(ns["output"], ns["keras_output"], atol=1e-6)
    np.testing.assert_array_equal(ns["batch"], ns["train_images"][24:32])
    np.testing.assert_array_equal(ns["transposed"], ns["digit"])
    assert (ns["reshaped"] != ns["digit"]).any()
    assert images(run.folder) == ["digit", "transpose"]
    assert comparison(run.printed)[2][-4:] == ["405", "MB", "405", "MB"]


def test_gradients(finished):
    """三种求法的梯度相同；反向传播和数值微分相同；两轮之后学会了"""
    run = finished("2_4_gradients.py")
    ns, rng = run.ns, np.random.default_rng(0)
    assert ns["difference"] < 1e-6 and ns["network_difference"] < 1e-4
    x, y = rng.normal(size=(7, 784)), np.eye(10)[rng.integers(0, 10, 7)]
    weights = [w.astype("float64") for w in ns["new_weights"]()]
    gradients = ns["backward"](x, y, *ns["forward"](x, weights), weights)
    for weight, gradient in zip(weights, gradients, strict=True):
        i, losses = np.unravel_index(np.abs(gradient).argmax(), gradient.shape), []
        for change in (1e-5, -2e-5):
            weight[i] += change
            losses.append(ns["crossentropy"](y, ns["forward"](x, weights)[1]))
        weight[i] += 1e-5
        assert gradient[i] == pytest.approx((losses[0] - losses[1]) / 2e-5, rel=1e-3)
    assert len(ns["losses"]) == 2 * 20 and ns["losses"][-1] < 0.5 * ns["losses"][0]
    assert ns["accuracies"][-1] > 0.5 and len(ns["rate_accuracies"]) == 3
    assert abs(ns["right"]) < 1 < ns["plain"]  # 动量冲过局部极小点，没有动量停在那里
    assert images(run.folder) == ["learning_rate", "mnist", "momentum"]
    accuracy = f"{ns['accuracies'][-1]:.4f}"
    assert comparison(run.printed)[1] == ["测试精度", "0.9785", accuracy]


def assert_multi_hot(x, sequences):
    assert x.dtype == "uint8" and x.max() == 1
    for row, sequence in zip(x, sequences, strict=True):
        assert set(np.flatnonzero(row)) == set(sequence)


def test_imdb(finished):
    run = finished("3_4_imdb.py")
    ns, history = run.ns, run.ns["history_dict"]
    assert_multi_hot(ns["x_train"], ns["train_data"])
    assert_multi_hot(ns["x_test"], ns["test_data"])
    first = [i - 3 for i in ns["train_data"][0]]  # 开头的 1、罕见词的 2，都不在词表里
    assert ns["decoded_review"] == " ".join(f"w{i}" if i > 0 else "?" for i in first)
    np.testing.assert_array_equal(ns["x_val"], ns["x_train"][:40])
    np.testing.assert_array_equal(ns["partial_x_train"], ns["x_train"][40:])
    np.testing.assert_array_equal(ns["partial_y_train"], ns["train_labels"][40:])
    assert shapes(ns["model"])[::2] == [(30, 16), (16, 16), (16, 1)]
    assert [len(values) for values in history.values()] == [3] * 4
    assert history["loss"][-1] < history["loss"][0]
    # 第二次是换了新网络，用全部 120 条从头训练 2 轮，每轮 8 批
    assert ns["model"].optimizer.iterations == 2 * 8
    assert ns["model"] is not ns["history"].model
    right = (ns["predictions"][:, 0] > 0.5) == ns["test_labels"]
    assert right.mean() == pytest.approx(ns["results"][1])
    assert images(run.folder) == ["accuracy", "loss"]
    assert_saved(run.folder / "model.keras", ns["model"])
    assert list(pd.read_csv(run.folder / "history.csv")["loss"]) == history["loss"]
    assert run.printed.count("，2 轮，验证精度 0.") == 7
    # 自己的评论：编号是名次加 3；不在词表里的、编号不小于 NUM_WORDS 的，都不算认识
    assert list(np.flatnonzero(ns["my_x"][0])) == [1, 5 + 3, 7 + 3]
    assert "4 个英文词，网络认识 2 个" in run.printed
    verdict = "正面" if ns["probability"] > 0.5 else "负面"
    assert f"正面概率 {ns['probability']:.2f}：{verdict}" in run.printed
    rows = comparison(run.printed)
    assert rows[0] == ["验证损失最低的轮次", "4", str(ns["best_epoch"])]
    assert rows[-1] == ["测试精度", "0.883", f"{ns['results'][1]:.4f}"]


@pytest.mark.parametrize("review", ["这部电影太棒了", "unheard words"])
def test_imdb_no_verdict_without_a_known_word(run_tiny, capsys, review):
    run_tiny("3_4_imdb.py", MY_REVIEW=review, EPOCHS=1, experiments=[])
    printed = capsys.readouterr().out
    assert "网络认识 0 个" in printed and "正面概率" not in printed


def test_reuters(finished):
    run = finished("3_5_reuters.py")
    ns, labels = run.ns, run.ns["one_hot_train_labels"]
    assert_multi_hot(ns["x_train"], ns["train_data"])
    np.testing.assert_array_equal(labels, np.eye(46)[ns["train_labels"]])
    np.testing.assert_array_equal(ns["y_val"], labels[:60])
    np.testing.assert_array_equal(ns["partial_y_train"], labels[60:])
    assert shapes(ns["model"])[::2] == [(60, 64), (64, 64), (64, 46)]
    assert shapes(ns["bottleneck"])[::2] == [(60, 64), (64, 4), (4, 46)]
    assert len(ns["history"].history["val_loss"]) == 3
    assert ns["model"].optimizer.iterations == 2 * 15  # 从头训练，只用 240 条
    assert ns["bottleneck"].optimizer.iterations == 3 * 15
    shuffled, answers = ns["test_labels_copy"], ns["test_labels"]
    assert sorted(shuffled) == sorted(answers) and (shuffled != answers).any()
    assert ns["random_acc"] == np.mean(shuffled == answers)
    # 3.5.6：两种标签是同一个损失，只差浮点误差；从同一个起点出发，训练也一样
    assert ns["loss_difference"] < 1e-5 < np.std(ns["sparse_losses"])
    assert ns["sparse_model"].loss == "sparse_categorical_crossentropy"
    for a, b in zip(ns["model"].get_weights(), ns["sparse_model"].get_weights()):
        np.testing.assert_allclose(a, b, atol=1e-4)
    # 混淆矩阵：行是正确答案，列是网络的判断；列出来的是去掉对角线之后最多的
    expected = np.zeros((46, 46), int)
    np.add.at(expected, (answers, ns["predictions"].argmax(axis=1)), 1)
    np.testing.assert_array_equal(ns["confusion"], expected)
    errors, topics = expected * ~np.eye(46, dtype=bool), ns["topics"]
    assert [row[2] for row in ns["rows"]] == sorted(errors.ravel())[::-1][:8]
    for answer, guess, count, _ in ns["rows"]:
        assert errors[topics.index(answer), topics.index(guess)] == count
    assert images(run.folder) == ["accuracy", "confusion", "loss"]
    assert_saved(run.folder / "model.keras", ns["model"])
    assert len(pd.read_csv(run.folder / "history_bottleneck.csv")) == 3
    assert run.printed.count("，2 轮，验证精度 0.") == 5
    rows = comparison(run.printed)
    assert ["测试精度", "0.797", f"{ns['results'][1]:.4f}"] in rows
    assert rows[-1] == ["比", "64", "个单元低的百分点", "8", f"{ns['drop']:.1f}"]


def test_boston(finished):
    run = finished("3_6_boston.py")
    ns = run.ns
    mean, std = ns["train_data"].mean(axis=0), ns["train_data"].std(axis=0)
    for name in ("train", "test"):  # 测试数据也用训练数据的平均值和标准差
        x = (ns[f"{name}_data"] - mean) / std
        np.testing.assert_allclose(ns[f"x_{name}"], x)
    assert shapes(ns["model"])[::2] == [(13, 64), (64, 64), (64, 1)]
    assert len(ns["all_scores"]) == 3
    expected = np.mean(ns["all_mae_histories"], axis=0)
    np.testing.assert_allclose(ns["average_mae_history"], expected)
    assert len(expected) == 14 and expected[-1] < expected[0]
    assert ns["smooth_curve"]([1.0, 2.0, 4.0]) == pytest.approx([1.0, 1.1, 1.39])
    smooth = ns["smooth_curve"](list(expected[10:]))
    np.testing.assert_allclose(ns["smooth_mae_history"], smooth)
    assert ns["best_epoch"] == 11 + int(np.argmin(smooth))
    assert ns["model"].optimizer.iterations == 3 * 3  # 全部 40 个样本，批量 16
    errors = np.abs(ns["predictions"] - ns["test_targets"])
    assert errors.mean() == pytest.approx(ns["test_mae_score"], rel=1e-5)
    assert images(run.folder) == ["mae", "mae_smoothed", "predictions"]
    assert_saved(run.folder / "model.keras", ns["model"])
    mae = f"{ns['test_mae_score']:.2f}"
    assert comparison(run.printed)[-1] == ["测试", "MAE（千美元）", "2.55", mae]


def test_boston_folds(run_tiny, monkeypatch):
    """每个样本恰好在一折里做验证；训练的是其余的，批量为 1，每折都是新的网络"""
    calls, original = [], keras.Model.fit

    def fit(self, x, y, **options):
        calls.append((self, x, y, options))
        return original(self, x, y, **options)

    monkeypatch.setattr(keras.Model, "fit", fit)
    tiny = {"NUM_EPOCHS": 1, "LONG_NUM_EPOCHS": 1}
    ns = run_tiny("3_6_boston.py", until="每一轮在各折上取平均", **tiny)
    assert len({id(call[0]) for call in calls}) == len(calls) == 6
    rows = {row.tobytes(): i for i, row in enumerate(ns["x_train"])}
    for i, (model, x, y, options) in enumerate(calls):
        trained = [rows[row.tobytes()] for row in x]
        fold = range(i % 3 * 13, i % 3 * 13 + 13)
        assert trained == [row for row in range(40) if row not in fold]
        np.testing.assert_array_equal(y, ns["train_targets"][trained])
        assert options["batch_size"] == 1 and model.optimizer.iterations == 27
        if i >= 3:  # 第二次，每一轮之后都验证
            val_x, val_y = options["validation_data"]
            assert [rows[row.tobytes()] for row in val_x] == list(fold)
            np.testing.assert_array_equal(val_y, ns["train_targets"][list(fold)])


def test_overfitting(finished):
    """五个网络只有大小和正则化不同；都用全部训练数据，用测试集验证"""
    run = finished("4_4_overfitting.py")
    ns = run.ns
    assert_multi_hot(ns["x_train"], ns["train_data"])
    np.testing.assert_array_equal(ns["y_train"][:, 0], ns["train_labels"])
    sizes = {"original": 16, "smaller_model": 4, "bigger_model": 512}
    for name, n in (sizes | {"l2_model": 16, "dpt_model": 16}).items():
        model = ns[f"{name.removesuffix('_model')}_model"]
        assert shapes(model)[::2] == [(30, n), (n, n), (n, 1)]
        assert model.optimizer.iterations == 3 * 8
        val_loss = ns[f"{name}_hist"].history["val_loss"]
        loss = model.evaluate(ns["x_test"], ns["y_test"], verbose=0)[0]
        assert len(val_loss) == 3 and val_loss[-1] == pytest.approx(loss, rel=1e-4)
    names = ["bigger", "bigger_training", "dropout", "l2", "l2_penalty", "smaller"]
    assert images(run.folder) == names and len(list(run.folder.glob("*.csv"))) == 5
    rows = table_after(run.printed, "网络", "书中", "本次")
    val_loss = ns["l2_model_val_loss"]
    best = f"{min(val_loss):.3f}（{np.argmin(val_loss) + 1}）"
    assert rows[3][-3:] == [best, "→", f"{val_loss[-1]:.3f}"]
    # 惩罚是 0.001 乘以每个权重的平方，偏置不算；验证损失里也有它
    kernels = ns["l2_model"].get_weights()[:3:2]
    penalty = 0.001 * sum((kernel**2).sum() for kernel in kernels)
    difference = val_loss[-1] - ns["l2_model_val_bce"][-1]
    assert difference == pytest.approx(penalty, rel=1e-3)
    assert f"照定义算的惩罚：{penalty:.4f}" in run.printed
    # dropout：训练时约一半变成 0，其余加倍；和 layers.Dropout 是一回事
    rates = [getattr(layer, "rate", None) for layer in ns["dpt_model"].layers]
    assert rates == [None, 0.5, None, 0.5, None]
    kept = ns["at_training"] != 0
    assert 0.47 < kept.mean() < 0.53 and 0.47 < (ns["by_keras"] == 0).mean() < 0.53
    np.testing.assert_array_equal(ns["at_training"], ns["layer_output"] * kept)
    np.testing.assert_array_equal(ns["at_test"], ns["layer_output"] / 2)
    np.testing.assert_array_equal(ns["scaled"], 2 * ns["at_training"])
    np.testing.assert_allclose(ns["by_keras"], ns["by_hand"])
    np.testing.assert_allclose(ns["unchanged"], ns["layer_output"])
