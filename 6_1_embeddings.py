"""6.1.2 使用词嵌入，6.1.3 整合在一起：从原始文本到词嵌入

任务：判断电影评论是正面还是负面；先只看 20 个词，再只用 200 条有标签的评论
数据：IMDB 影评 50 000 条，训练、测试各半；GloVe 词向量，没有就从影评的文字计算
网络：Embedding → Flatten → Dense；Embedding 从头学习，或者用预训练的词向量
结果：最高验证精度，书中 → 实测（词向量从影评计算）：只看 20 个词 0.76 → 0.752
      200 条评论，五次平均：预训练接近 0.6 → 0.608，从头学习 0.5 多一点 → 0.531
开销：2 核、没有 GPU 的电脑上 69 秒，内存 2.3 GB；首次运行下载 19 MB
运行：python 6_1_embeddings.py
产出：output/6_1_embeddings/ 里的图和模型
标着（书外）的单元格是书里没有的补充，可以跳过
"""

# 先导入 common，再导入 keras，TensorFlow 才不会往屏幕上写启动日志
from common.datasets import load_imdb, load_word_index
from common.download import cache_dir
from common.plotting import plot_history, save_figure
from common.results import format_table, print_comparison, save_model

import keras
import matplotlib.pyplot as plt
import numpy as np
from keras import layers
from keras.utils import pad_sequences

# %% 超参数：想做实验，只改这几行
NUM_WORDS = 10_000  # 只保留最常见的一万个词
MAXLEN = 20  # 6.1.2 节每条评论只看 20 个词
TEXT_MAXLEN = 100  # 6.1.3 节看 100 个词
TRAINING_SAMPLES = 200  # 6.1.3 节只用 200 条有标签的评论来训练
VALIDATION_SAMPLES = 10_000  # 6.1.3 节的验证集
EPOCHS = 10  # 和书中一样
BATCH_SIZE = 32  # 和书中一样
DRAWS = 5  # 200 条抽到哪些全凭运气，所以抽 5 次，看平均
MORE_SAMPLES = {2_000: 10, 20_000: 4}  # 条数: 训练几轮，看预训练到多少条就不再划算
VECTOR_WORDS = 5_000  # 没有 GloVe 时，给最常见的 5 000 个词计算词向量
VECTOR_DIM = 50  # 算出的词向量有多少维
WINDOW = 4  # 相隔不超过 4 个词，就算一起出现
SEED = 0  # 随机种子

keras.utils.set_random_seed(SEED)  # 固定随机种子，两次运行才能互相比较

# %% 6.1.2 Embedding 层是一张表：每个编号一行，按编号取出那一行，就是词向量
# 表里一开始是随机数，训练时和其他权重一起学
embedding_layer = layers.Embedding(1000, 64)  # one-hot 要 1000 维，词向量只要 64 维
print("两个编号取出两个词向量：", embedding_layer(np.array([4, 8])).shape)  # (2, 64)

# %% 加载 IMDB：短的评论在前面补 0，长的截断，每条都变成 20 个编号
# 书上说取前 20 个词，其实 pad_sequences 默认去掉开头，留下的是最后 20 个
(train_data, train_labels), _ = load_imdb(NUM_WORDS)
last_words = pad_sequences(train_data, maxlen=MAXLEN)  # (25000, 20)

# %% 词嵌入和分类器一起从头学习：只看 20 个词，不管词和词的关系，也有 75% 的精度
short_model = keras.Sequential(
    [
        keras.Input(shape=(MAXLEN,)),
        layers.Embedding(NUM_WORDS, 8),  # (批量, 20, 8)
        layers.Flatten(),  # (批量, 160)
        layers.Dense(1, activation="sigmoid"),
    ]
)
short_model.compile(
    optimizer="rmsprop",
    loss="binary_crossentropy",
    metrics=["accuracy"],
    steps_per_execution=625,  # 一轮 625 步算完才回到 Python，省一半的时间，结果不变
)
short_model.summary()
history = short_model.fit(
    last_words,
    train_labels,
    epochs=EPOCHS,
    batch_size=BATCH_SIZE,
    validation_split=0.2,  # 最后的 5 000 条做验证
    verbose=2,
)
best_last_words = max(history.history["val_accuracy"])

# %% 6.1.3 从原始文本开始：把编号还原成文字
# 书中从 aclImdb 的 25 000 个文件读出 texts 和 labels，评论相同，多了标点和大写字母
(full_data, full_labels), (test_data, test_labels) = load_imdb()  # 这次不限词数
# 编号比名次大 3，见 3.4 节
reverse_word_index = {i + 3: word for word, i in load_word_index("imdb").items()}


def decode(review):
    # 第一个编号是「序列开始」，不是词，所以从第二个起
    # 词表里还有几个带重音的大写字母，书中由 Tokenizer 转成小写
    return " ".join([reverse_word_index[i] for i in review[1:]]).lower()


texts = [decode(review) for review in full_data]
print(f"{texts[0][:60]}……，标签 {full_labels[0]}")

# %% 分词：书中的 Tokenizer 没有了，换成 TextVectorization，见 6_1_one_hot.py
# standardize=None：不再去掉标点，否则撇号也没有了，只剩 80 308 个词
# ragged=True：每条评论保持自己的长度，否则都在后面补 0，补到和最长的一样长
vectorizer = layers.TextVectorization(standardize=None, ragged=True)
vectorizer.adapt(texts)
vocabulary = [str(word) for word in vectorizer.get_vocabulary()]
word_index = {word: i for i, word in enumerate(vocabulary)}  # 0 是填充，1 是未知词
print(f"找到 {len(word_index) - 2} 个不同的词")  # 88582，和书中一样


def texts_to_sequences(texts):
    # 和 Tokenizer 一样，一万名以外的词去掉，不留位置
    # 方括号里是条件，两边都成立（&）的编号才留下
    return [row[(row > 1) & (row < NUM_WORDS)] for row in vectorizer(texts).numpy()]


sequences = texts_to_sequences(texts)
padded = pad_sequences(sequences, maxlen=TEXT_MAXLEN)  # (25000, 100)，最后 100 个词
print("数据张量的形状：", padded.shape, "标签张量的形状：", full_labels.shape)

# %% 打乱，开头 200 条用来训练，最后 10 000 条做验证，中间的后面再用
# 书中先读全部负面的，再读正面的，不打乱就只有一种标签；load_imdb 的已经混在一起
# 书中拿训练集后面紧接着的 10 000 条验证，这里换成最后的，后面才能再抽 200 条
indices = np.random.default_rng(SEED).permutation(len(padded))
data, labels = padded[indices], full_labels[indices]
x_train, y_train = data[:TRAINING_SAMPLES], labels[:TRAINING_SAMPLES]
x_val, y_val = data[-VALIDATION_SAMPLES:], labels[-VALIDATION_SAMPLES:]
# 每次 fit 都这样验证，写成 **validation，就展开成 fit 的参数
# 批量大小不影响验证的结果，默认和训练时一样是 32，大一些快得多
validation = {"validation_data": (x_val, y_val), "validation_batch_size": 1000}

# %% 预训练的词向量：意思相近的词，向量也相近
# 把 GloVe 的 glove.6B.100d.txt（或者 50d 等）放进 ~/.keras/datasets/，这里就用它
glove_files = sorted(cache_dir().glob("glove.6B.*d.txt"))
embeddings_index = {}
if glove_files:
    print("词向量：GloVe，", glove_files[0])
    with open(glove_files[0], encoding="utf-8") as file:
        for line in file:  # 一行一个词，后面是它的向量
            word, *values = line.split()
            if word_index.get(word, NUM_WORDS) < NUM_WORDS:  # 只要用得到的
                embeddings_index[word] = np.asarray(values, dtype="float32")
else:
    print("词向量：没有 GloVe，从影评的文字计算，不用标签，也不用验证集和测试集")
    # 书里没有这一段，可以跳过；结果是最常见的 5 000 个词，各有一个 50 维的向量
    # 道理：意思相近的词，周围的词也相近，所以先数每个词和哪些词一起出现
    # 一、数次数；评论之间隔几个 0，前一条的末尾和后一条的开头就不算一起出现
    unlabeled = [sequences[i] for i in indices[:-VALIDATION_SAMPLES]]
    corpus = np.concatenate([np.append(row, [0] * WINDOW) for row in unlabeled])
    corpus[corpus >= VECTOR_WORDS] = 0  # 更罕见的词不管
    counts = np.zeros((VECTOR_WORDS, VECTOR_WORDS), dtype="float32")
    for distance in range(1, WINDOW + 1):
        # 编号 a 和 b 合成一个数 a × 5000 + b，bincount 数出每个数有几个
        pairs = corpus[:-distance] * VECTOR_WORDS + corpus[distance:]
        pairs = np.bincount(pairs, minlength=VECTOR_WORDS**2)
        counts += pairs.reshape(counts.shape)
    counts += counts.T  # 谁先谁后都一样，(5000, 5000)
    counts[0] = counts[:, 0] = 0  # 0 不是词
    # 二、PPMI：实际次数是两个词互不相干时该有的次数的几倍，取对数，不到 1 倍的算 0
    totals = counts.sum(axis=1, keepdims=True) + 1e-9
    ppmi = np.log(np.maximum(counts / totals / totals.T * totals.sum(), 1))
    # 三、奇异值分解：每个词的 5 000 个数压缩成 50 个，信息尽量少丢
    # 只求最大的 50 个奇异值，反复相乘就能逼近；qr 让各列互相垂直，不会越乘越像
    basis = np.random.default_rng(SEED).normal(size=(VECTOR_WORDS, VECTOR_DIM))
    basis = basis.astype("float32")
    for _ in range(5):
        basis, _ = np.linalg.qr(ppmi @ basis)
    u, s, _ = np.linalg.svd(basis.T @ ppmi, full_matrices=False)
    vectors = basis @ u * np.sqrt(s)  # (5000, 50)
    embeddings_index = dict(list(zip(vocabulary, vectors))[2:])

print(f"词表里有 {len(embeddings_index)} 个词有词向量")

# %% 词嵌入矩阵：第 i 行是编号为 i 的词的向量，没有词向量的词是全 0 的一行
# 评论和矩阵必须用同一套编号：要是评论用 load_imdb 的编号（名次加 3），矩阵却按
# 名次填，每个词取到的就是别的词的向量，还不如不用
embedding_dim = len(next(iter(embeddings_index.values())))  # 取一个词向量，看它几维
embedding_matrix = np.zeros((NUM_WORDS, embedding_dim), dtype="float32")
for word, i in word_index.items():
    embedding_vector = embeddings_index.get(word)
    if i < NUM_WORDS and embedding_vector is not None:
        embedding_matrix[i] = embedding_vector


# %% 定义模型，后面要训练很多个，所以写成函数
def build_model(pretrained):
    model = keras.Sequential(
        [
            keras.Input(shape=(TEXT_MAXLEN,)),
            layers.Embedding(NUM_WORDS, embedding_dim),  # (批量, 100, 50)
            layers.Flatten(),  # (批量, 5000)；书中的词向量是 100 维，展平之后是 10000
            layers.Dense(32, activation="relu"),
            layers.Dense(1, activation="sigmoid"),
        ]
    )
    if pretrained:
        model.layers[0].set_weights([embedding_matrix])
        # 冻结：后面的层是随机的，一训练就会传回很大的误差，毁掉学好的词向量
        model.layers[0].trainable = False
    model.compile(optimizer="rmsprop", loss="binary_crossentropy", metrics=["accuracy"])
    return model


# %% 用预训练的词向量：很快过拟合，200 条太少，但验证精度明显高于瞎猜的 50%
model = build_model(pretrained=True)
model.summary()
history = model.fit(
    x_train, y_train, epochs=EPOCHS, batch_size=BATCH_SIZE, **validation, verbose=2
)
pretrained_path = save_model(model, "6_1_embeddings", "pre_trained_glove_model.keras")
plot_history(history, "6_1_embeddings", "pretrained_")
first_pretrained = max(history.history["val_accuracy"])

# %% 不用预训练的词向量：200 条学不出词嵌入，比瞎猜好不了多少
model = build_model(pretrained=False)
history = model.fit(
    x_train, y_train, epochs=EPOCHS, batch_size=BATCH_SIZE, **validation, verbose=2
)
plot_history(history, "6_1_embeddings", "learned_")
first_learned = max(history.history["val_accuracy"])

# %% 测试集同样变成编号，再评估用了预训练词向量的模型
test_texts = [decode(review) for review in test_data]
x_test = pad_sequences(texts_to_sequences(test_texts), maxlen=TEXT_MAXLEN)
model = keras.models.load_model(pretrained_path)
test_loss, test_acc = model.evaluate(x_test, test_labels, batch_size=1000, verbose=0)
print("预训练词向量，测试精度：", test_acc)

# %% （书外）再抽几次：换 200 条，精度会差一两个百分点，看平均才知道哪种做法好
best_pretrained, best_learned = [first_pretrained], [first_learned]
settings = {"epochs": EPOCHS, "batch_size": BATCH_SIZE, "verbose": 0}
for draw in range(1, DRAWS):
    chosen = slice(draw * TRAINING_SAMPLES, (draw + 1) * TRAINING_SAMPLES)
    for pretrained, scores in [(True, best_pretrained), (False, best_learned)]:
        keras.utils.set_random_seed(SEED + draw)
        model = build_model(pretrained)
        history = model.fit(data[chosen], labels[chosen], **settings, **validation)
        scores.append(max(history.history["val_accuracy"]))

for title, scores in [("预训练", best_pretrained), ("从头学习", best_learned)]:
    print(f"{title}，{DRAWS} 次：", " ".join(f"{score:.3f}" for score in scores))
    print(f"平均 {np.mean(scores):.3f}，标准差 {np.std(scores):.3f}")

# %% （书外）书中留的练习：样本多了会怎样？2 000 条时，从头学习的词嵌入就反超了
# 200 条的一行是五次的平均，用 10 000 条验证；另外两行各训练一次，用 5 000 条验证
table = [(TRAINING_SAMPLES, np.mean(best_pretrained), np.mean(best_learned))]
rest = max(MORE_SAMPLES)  # 最多用前 20 000 条训练，剩下的 5 000 条验证
settings = {"batch_size": BATCH_SIZE, "verbose": 0, "validation_batch_size": 1000}
for samples, epochs in MORE_SAMPLES.items():
    best = []
    for pretrained in (True, False):
        keras.utils.set_random_seed(SEED)
        model = build_model(pretrained)
        history = model.fit(
            data[:samples],
            labels[:samples],
            epochs=epochs,
            validation_data=(data[rest:], labels[rest:]),
            **settings,
        )
        best.append(max(history.history["val_accuracy"]))
    table.append((samples, *best))

rows = [(size, f"{a:.4f}", f"{b:.4f}") for size, a, b in table]
print(format_table(rows, ["样本数", "预训练", "从头学习"]))

sizes, pretrained_line, learned_line = zip(*table)
plt.figure(layout="constrained")
plt.plot(sizes, pretrained_line, "bo-", label="Pretrained")
plt.plot(sizes, learned_line, "rs-", label="Learned from scratch")
plt.plot([TRAINING_SAMPLES] * DRAWS, best_pretrained, "b_")  # 短横线是各次的结果
plt.plot([TRAINING_SAMPLES] * DRAWS, best_learned, "r_")
plt.xscale("log")
plt.xticks(sizes, sizes)
plt.minorticks_off()
plt.title("Pretrained or learned word vectors")
plt.xlabel("Training samples")
plt.ylabel("Best validation accuracy")
plt.legend()
save_figure("6_1_embeddings", "samples")

# %% （书外）最近的邻居：向量夹角最小的几个词
lengths = np.linalg.norm(embedding_matrix, axis=1, keepdims=True)
unit_vectors = embedding_matrix / (lengths + 1e-9)
for word in ["terrible", "excellent", "boring", "wonderful"]:
    if word in embeddings_index:
        cosines = unit_vectors @ unit_vectors[word_index[word]]  # 夹角的余弦
        nearest = np.argsort(-cosines)[1:6]  # 最近的是它自己
        print(f"{word} →", " ".join(vocabulary[i] for i in nearest))

# %% （书外）Embedding 就是 one-hot 向量乘矩阵，只是按编号取行，省去了和 0 的乘法
one_hot = keras.utils.to_categorical(data[0], NUM_WORDS)  # (100, 10000)
same = np.allclose(one_hot @ embedding_matrix, embedding_matrix[data[0]])
print("one-hot 编码乘矩阵，和按编号取行，结果相同：", same)

# %% （书外）真的只看前 20 个词：精度低一些，影评的结论常在末尾
first_words = pad_sequences(train_data, maxlen=MAXLEN, truncating="post")
keras.utils.set_random_seed(SEED)
model = keras.models.clone_model(short_model)  # 照样再搭一个，权重是新的随机数
model.compile(optimizer="rmsprop", loss="binary_crossentropy", metrics=["accuracy"])
history = model.fit(
    first_words,
    train_labels,
    epochs=EPOCHS,
    batch_size=BATCH_SIZE,
    validation_split=0.2,
    verbose=0,
)
best_first_words = max(history.history["val_accuracy"])
print(f"最高验证精度：最后 {MAXLEN} 个词 {best_last_words:.4f}，", end="")
print(f"前 {MAXLEN} 个词 {best_first_words:.4f}")

# %% 书中的结果和本次的结果
print_comparison(
    [
        ("只看 20 个词，最高验证精度", "0.76", f"{best_last_words:.4f}"),
        ("不同的词", "88582", len(word_index) - 2),
        ("预训练，最高验证精度的平均", "接近 0.6", f"{np.mean(best_pretrained):.4f}"),
        ("从头学习，最高验证精度的平均", "0.5 多一点", f"{np.mean(best_learned):.4f}"),
        ("预训练，测试精度", "0.56", f"{test_acc:.4f}"),
    ]
)
plt.show()  # 放在最后，弹出的窗口不会打断训练
