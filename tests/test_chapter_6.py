"""第 6 章的脚本，在微型数据上"""

import re

import keras
import numpy as np
import pytest
import tiny_data
from look import assert_saved, comparison, images, shapes, table_after
from small_files import put

SENTENCES = ["The cat sat on the mat.", "The dog ate my homework."]


def test_one_hot(finished):
    """每个词、每个字符正好一个 1，能还原出原来的句子"""
    run = finished("6_1_one_hot.py")
    ns = run.ns
    names = {index: word for word, index in ns["token_index"].items()}
    letters = {index: letter for letter, index in ns["character_index"].items()}
    for i, sentence in enumerate(SENTENCES):
        words = [names[row.argmax()] for row in ns["results"][i] if row.sum() == 1]
        assert words == sentence.split() and ns["results"][i].sum() == len(words)
        rows = [row for row in ns["character_results"][i] if row.sum() == 1]
        assert "".join(letters[row.argmax()] for row in rows) == sentence
        ones = ns["hash_results"][i].sum(axis=1).tolist()
        assert ones == [1] * len(words) + [0] * (10 - len(words))
    # 词表从 2 起；multi-hot 编码里是出现过的词
    assert sorted(ns["word_index"].values()) == list(range(2, 11))
    words = "the dog ate my homework".split()
    numbers = [ns["word_index"][word] for word in words]
    assert ns["sequences"][1].tolist() == [*numbers, 0]
    encoded, vocabulary = ns["one_hot_results"], ns["binarizer"].get_vocabulary()
    assert {vocabulary[i] for i in np.flatnonzero(encoded[1])} == set(words)
    # 写反了的字典得到 None，整行都成了 1；hash 每次启动都不一样
    assert ns["row"].sum() == 101 and len(set(ns["hashes"])) > 1
    assert images(run.folder) == ["one_hot"]
    rows = comparison(run.printed)
    assert rows[0] == ["按空格分出的标记", "10", "10"]
    assert rows[4][-4:] == ["(2,", "1000)"] * 2


def test_embeddings(finished, run_tiny):
    """用 GloVe 文件：第 i 行是编号为 i 的词的向量，错开就不对；冻结的不动"""
    lines = [f"w{rank} {rank} {-rank}" for rank in range(1, 41)]
    put("glove.6B.2d.txt", "\n".join([*lines, "other 1 2"]).encode())
    ns = run_tiny("6_1_embeddings.py", until="不用预训练的词向量")
    matrix, common = ns["embedding_matrix"], ns["vocabulary"][2:30]
    assert matrix.shape == (30, 2) and ns["padded"].shape == (120, 8)
    for (review, _), row in zip(zip(*tiny_data.make_imdb()[0]), ns["padded"]):
        known = [rank for rank in review if f"w{rank}" in common][-8:]
        expected = np.array([0] * (8 - len(known)) + known)
        np.testing.assert_array_equal(matrix[row], np.c_[expected, -expected])
    for name in ("padded", "full_labels"):
        shuffled = ns[{"padded": "data"}.get(name, "labels")]
        np.testing.assert_array_equal(shuffled, ns[name][ns["indices"]])
    np.testing.assert_array_equal(ns["model"].get_weights()[0], matrix)
    assert ns["build_model"](pretrained=False).layers[0].trainable
    # 没有 GloVe，就从影评计算
    run = finished("6_1_embeddings.py")
    assert run.ns["vectors"].shape == (25, 4) and len(run.ns["embeddings_index"]) == 23
    assert "取行，结果相同： True" in run.printed
    assert comparison(run.printed)[1] == ["不同的词", "88582", "40"]


def test_rnn(finished):
    """NumPy 的循环和 Keras 的层输出相同；最好的一轮；边读边判断"""
    run = finished("6_2_rnn.py")
    ns = run.ns
    assert ns["final_output_sequence"].shape == (100, 64)
    differences = re.findall(r"输出最多相差 (\S+)", run.printed)
    assert len(differences) == 2 and all(float(d) < 1e-5 for d in differences)
    assert ns["input_train"].shape == (120, 12)
    lstm = [(30, 32), (32, 128), (32, 128), (128,), (32, 1), (1,)]
    rnn = [(30, 32), (32, 32), (32, 32), (32,), (32, 1), (1,)]
    for name, expected in [("rnn", rnn), ("lstm", lstm)]:
        best, history = ns[f"best_{name}"], ns[f"{name}_history"]
        assert shapes(best) == expected
        assert [len(values) for values in history.values()] == [2] * 5
        epoch = int(np.argmin(history["val_loss"])) + 1
        assert best.optimizer.iterations == 6 * epoch  # 前 96 条训练
        x, y = ns["input_train"][96:], ns["y_train"][96:]
        loss = best.evaluate(x, y, verbose=0)[0]
        assert loss == pytest.approx(min(history["val_loss"]), rel=1e-4)
    assert_saved(run.folder / "model.keras", ns["best_lstm"])
    # 名次加 3，不认识的是 2，短的在开头补 0
    assert ns["my_x"].tolist() == [[0] * 8 + [1, 5 + 3, 7 + 3, 2]]
    assert "unknownword（不认识）" in run.printed
    assert len(images(run.folder)) == 5
    rows = comparison(run.printed)
    best = max(ns["rnn_history"]["val_accuracy"])
    assert rows[0] == ["SimpleRNN", "最高验证精度", "0.846", f"{best:.4f}"]


JENA = "6_3_jena_temp.py"
# 变量名: 存盘的文件夹
RUNS = {x: x for x in ["dense", "gru", "dropout", "stacked", "imdb_reversed"]}
RUNS |= {"reversed_gru": "reversed", "imdb_both": "imdb_both", "both": "bidirectional"}


def book_generator(data, lookback, delay, min_index, max_index, draw, batch_size, step):
    """书中的生成器，一个窗口一个窗口地切；draw，代替 randint，None 是按顺序"""
    i = min_index + lookback
    while 1:
        if draw:
            rows = draw(min_index + lookback, max_index, batch_size)
        else:
            if i + batch_size >= max_index:
                i = min_index + lookback
            rows = np.arange(i, min(i + batch_size, max_index))
            i += len(rows)
        samples = np.zeros((len(rows), lookback // step, data.shape[-1]))
        targets = np.zeros((len(rows),))
        for j in range(len(rows)):
            indices = range(rows[j] - lookback, rows[j], step)
            samples[j] = data[indices]
            targets[j] = data[rows[j] + delay][1]
        yield samples, targets


def assert_same_batches(ours, book, count):
    for _ in range(count):
        for a, b in zip(next(ours), next(book), strict=True):
            assert a.dtype == "float32"
            np.testing.assert_array_equal(a, b)


def test_jena_batches_are_the_book_s(finished):
    """训练的随机抽取，验证、测试的按顺序，取完一遍从头再取，和书中的循环逐个相同"""
    ns = finished(JENA).ns
    data, train, val_end = ns["float_data"], ns["num_train"], ns["val_end"]
    assert (train, val_end, ns["test_end"]) == (961, 1441, 2020 - 24)
    draw = np.random.default_rng(0).integers
    book = book_generator(data, 48, 24, 0, train, draw, 16, 6)
    assert_same_batches(ns["train_gen"](), book, 20)
    for gen, start, stop, steps in [
        ("val_gen", train + 1, val_end, ns["val_steps"]),
        ("test_gen", val_end + 1, ns["test_end"], ns["test_steps"]),
    ]:
        book = book_generator(data, 48, 24, start, stop, None, 100, 6)
        assert_same_batches(ns[gen](), book, 3 * steps)
        # 这么多批正好看完一遍，一行也不重复
        batches = [y for (_, y), _ in zip(ns[gen](), range(steps + 1))]
        np.testing.assert_array_equal(batches[0], batches[-1])
        rows = np.arange(start + 48, start + 48 + 100 * steps)
        np.testing.assert_array_equal(np.concatenate(batches[:-1]), data[rows + 24, 1])
        assert stop - rows[-1] <= 100 + 1
    # 标准化只用训练集；基准方法是窗口里最后一个气温，也就是 row 之前一小时的
    raw = tiny_data.make_jena().to_numpy()
    expected = (raw - raw[:961].mean(axis=0)) / raw[:961].std(axis=0)
    np.testing.assert_allclose(data, expected, rtol=1e-5, atol=1e-6)
    rows = np.arange(962 + 48, 962 + 48 + 400)
    naive = np.abs(data[rows - 6, 1] - data[rows + 24, 1]).mean()
    assert ns["naive_mae"] == pytest.approx(naive, rel=1e-5)
    pairs = zip(ns["reverse_order"](ns["val_gen"]()), ns["val_gen"](), range(3))
    for (samples, targets), (forward, same), _ in pairs:
        np.testing.assert_array_equal(samples, forward[:, ::-1])
        np.testing.assert_array_equal(targets, same)
    backwards = [i for i in ns["x_train"][0] if i]  # 逆序，「序列开始」到了最后
    assert ns["x_train"].shape == (120, 10) and backwards.index(1) + 1 == len(backwards)


def test_jena_networks(finished):
    """书中的网络；多出来的偏置 (2, n) 是 reset_after=True 带来的"""
    ns = finished(JENA).ns
    best = {name: keras.models.load_model(ns[name].best) for name in RUNS}
    gru, dense = [(14, 96), (32, 96), (2, 96)], [(32, 1), (1,)]
    lstm = [(32, 128), (32, 128), (128,)]
    assert {name: shapes(model) for name, model in best.items()} == {
        "dense": [(8 * 14, 32), (32,), *dense],
        **dict.fromkeys(["gru", "dropout", "reversed_gru"], [*gru, *dense]),
        "stacked": [*gru, (32, 192), (64, 192), (2, 192), (64, 1), (1,)],
        "imdb_reversed": [(30, 128), (128, 128), *lstm[1:], *dense],
        "imdb_both": [(30, 32), *lstm, *lstm, (64, 1), (1,)],
        "both": [*gru, *gru, (64, 1), (1,)],
    }
    layers = [best["dropout"].layers[0], *best["stacked"].layers[:2]]
    rates = [(layer.dropout, layer.recurrent_dropout) for layer in layers]
    assert rates == [(0.2, 0.2), (0.1, 0.5), (0.1, 0.5)]
    assert layers[2].activation == keras.activations.relu
    for name, model in best.items():
        history = ns[name].history
        assert [len(values) for values in history.values()] == [2] * len(history)
        epoch = np.argmin(history["val_loss"]) + 1
        assert model.optimizer.iterations == epoch * (6 if "imdb" in name else 3)
        if "imdb" in name:
            continue
        # 记下的是那一轮的网络在整个验证集上的损失，不是在另外一些窗口上的
        batches = ns["val_gen"]()
        if name == "reversed_gru":
            batches = ns["reverse_order"](batches)
        loss = model.evaluate(batches, steps=ns["val_steps"], verbose=0)
        assert loss == pytest.approx(min(history["val_loss"]), rel=1e-4)


def test_jena_results(finished):
    """最好的网络就是用来测试的那个；表里是每个网络最好的一轮、训练了几轮"""
    run = finished(JENA)
    ns = run.ns
    names = ["dense", "gru", "dropout", "stacked", "both"]
    losses = {name: min(ns[name].history["val_loss"]) for name in names}
    assert ns["winner"] is ns[min(losses, key=losses.get)]
    assert_saved(run.folder / "model.keras", ns["best_model"])
    assert_saved(ns["winner"].best, ns["best_model"])
    test = ns["best_model"].evaluate(
        ns["test_gen"](), steps=ns["test_steps"], verbose=0
    )
    assert test == pytest.approx(ns["test_mae"], rel=1e-4)
    expected = {"temperature", "first_10_days", *(f"{p}_loss" for p in RUNS.values())}
    expected |= {"imdb_reversed_accuracy", "imdb_both_accuracy"}
    assert set(images(run.folder)) == expected
    rows = table_after(run.printed, "项目", "书中", "本次", "轮数", "每轮秒")
    assert rows[0] == ["基准方法", "0.2897", f"{ns['naive_mae']:.4f}"]
    assert rows[2][:3] == ["GRU", "0.2644", f"{losses['gru']:.4f}"]
    accuracy = max(ns["imdb_both"].history["val_accuracy"])
    assert rows[7][-3] == f"{accuracy:.4f}"
    assert [row[-2] for row in rows[1:]] == ["2"] * 8


def test_jena_own_csv(run_tiny, tmp_path, capsys):
    """JENA_CSV：按同样的比例划分，坏值有话说，不算合成数据；太短的说清楚"""
    table, path = tiny_data.make_jena(1500), tmp_path / "自己的.csv"
    table.index = table.index.strftime("%d.%m.%Y %H:%M:%S")
    table.to_csv(path)
    ns = run_tiny(JENA, JENA_CSV=f'"{path}"', until="6.3.4")
    assert (len(ns["table"]), ns["num_train"], ns["num_val"]) == (1500, 713, 357)
    assert ns["train_steps"] == 2
    printed = capsys.readouterr().out
    assert "wv (m/s) 有 1 行是 -9999" in printed and "合成数据" not in printed
    with pytest.raises(SystemExit, match="只有 1500 行.*LOOKBACK"):
        run_tiny(JENA, JENA_CSV=str(path), until="6.3.4", VAL_BATCH_SIZE=2048)


def test_conv1d(finished):
    """窗口和书中的循环相同；验证损失是整个验证集的；没有 sigmoid 就不训练"""
    run = finished("6_4_conv1d.py")
    ns = run.ns
    data, train, val_end = ns["float_data"], ns["NUM_TRAIN"], ns["VAL_END"]
    draw = np.random.default_rng(0).integers
    for args, shuffle in [((0, train), draw), ((train + 1, val_end), None)]:
        book = book_generator(data, 130, 24, *args, shuffle, 16, 2)
        ours = ns["generator"](data, 130, 24, *args, bool(shuffle), 16, 2)
        assert_same_batches(ours, book, 40)
    rows = np.arange(train + 1 + 130, train + 1 + 130 + 100 * 3)
    naive = np.abs(data[rows - 2, 1] - data[rows + 24, 1]).mean()
    assert ns["naive_mae"] == pytest.approx(naive, rel=1e-5)
    conv = [(5, 14, 32), (5, 32, 32), (5, 32, 32), (32, 1)]
    gru = [(5, 14, 32), (5, 32, 32), (32, 96), (2, 96), (1,)]
    for name, expected in [("conv", conv), ("gru", gru)]:
        checkpoint = ns[f"{name}_checkpoint"]
        best = keras.models.load_model(checkpoint.best)
        assert shapes(best)[::2] == expected
        assert len(checkpoint.history["loss"]) == 2
        if name == "gru":
            loss = best.evaluate(
                ns["short_val_gen"](), steps=ns["val_steps"], verbose=0
            )
            assert loss == pytest.approx(min(checkpoint.history["val_loss"]), rel=1e-4)
    shares = re.findall(r"种子 .：(\d+)% 的输出不是正数，.*改动了 (\S+)", run.printed)
    assert len(shares) == 4 and "100" in dict(shares)
    assert all(float(change) == 0 for share, change in shares if share == "100")
    rows = comparison(run.printed)
    best = f"{min(ns['conv_history']['val_loss']):.4f}"
    assert rows[3] == ["Conv1D", "最低验证", "MAE", "0.4521", best]
