"""3.5 新闻分类：多分类问题

任务：把一条路透社新闻归入 46 个互斥的主题之一
数据：路透社新闻，训练 8 982 条，测试 2 246 条，各主题数量悬殊
网络：multi-hot 编码 → Dense(64) → Dense(64) → Dense(46) softmax
结果：测试精度 0.797（书中） → 0.785（实测）
      中间层只有 4 个单元时，最高验证精度低 8 个百分点（书中） → 8.5 个（实测）
开销：2 核、没有 GPU 的电脑上 40 秒，内存 1.2 GB；首次运行下载 2.7 MB
运行：python 3_5_reuters.py
产出：output/3_5_reuters/ 里的图、训练历史和模型
标着（书外）的单元格是书里没有的补充，可以跳过
"""

import copy

# 先导入 common，再导入 keras，TensorFlow 才不会往屏幕上写启动日志
from common.datasets import load_reuters, load_word_index
from common.plotting import plot_history, save_figure
from common.results import format_table, print_comparison, save_history, save_model

import keras
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf
from keras import layers, losses
from keras.utils import to_categorical

# %% 超参数：想做实验，只改这几行
NUM_WORDS = 10_000  # 只保留最常见的一万个词
NUM_VAL = 1_000  # 从训练集中留出多少条做验证
EPOCHS = 20  # 故意训练过头，好看清过拟合从哪一轮开始
RETRAIN_EPOCHS = 9  # 书中看过曲线之后，重新训练的轮数（作者公开的 notebook 用 8）
BATCH_SIZE = 512  # 和书中一样
BOTTLENECK_UNITS = 4  # 远小于 46，信息在这里被挤掉
BOTTLENECK_BATCH_SIZE = 128  # 和书中一样；批量大小也变了，差别不全是 4 个单元造成的
SEED = 0  # 随机种子，换一个数，测试精度相差可达 0.007

keras.utils.set_random_seed(SEED)  # 固定随机种子，两次运行才能互相比较

# %% 3.5.1 加载数据：和 IMDB 一样，每条新闻是一串单词编号
# 返回的和书中的 reuters.load_data(num_words=10000) 一样
(train_data, train_labels), (test_data, test_labels) = load_reuters(NUM_WORDS)
print(f"训练集 {len(train_data)} 条，测试集 {len(test_data)} 条")
print("train_data[10]，单词编号：", train_data[10])
word_index = load_word_index("reuters")  # {单词: 名次}
reverse_word_index = {value: key for (key, value) in word_index.items()}
# 编号同样加了 3，未知词显示为 ?；书中看编号用第 10 条，还原成英文用第 0 条
decoded_newswire = " ".join([reverse_word_index.get(i - 3, "?") for i in train_data[0]])
print("train_data[0]，还原成英文：", decoded_newswire)
print("train_labels[10]，主题编号：", train_labels[10])


# %% 3.5.2 准备数据：和 3.4 节相同的 multi-hot 编码，uint8 的矩阵只占八分之一的内存
def vectorize_sequences(sequences, dimension=NUM_WORDS):
    results = np.zeros((len(sequences), dimension), dtype="uint8")
    for i, sequence in enumerate(sequences):
        results[i, sequence] = 1
    return results


x_train = vectorize_sequences(train_data)  # (8982, 10000)
x_test = vectorize_sequences(test_data)  # (2246, 10000)


# %% 标签的 one-hot 编码：先自己写一遍，再用现成的函数，两者相同
def to_one_hot(labels, dimension=46):
    results = np.zeros((len(labels), dimension))
    for i, label in enumerate(labels):
        results[i, label] = 1.0
    return results


one_hot_train_labels = to_one_hot(train_labels)  # (8982, 46)
one_hot_test_labels = to_one_hot(test_labels)  # (2246, 46)
same = np.array_equal(one_hot_train_labels, to_categorical(train_labels, 46))
print("和 to_categorical 的结果相同：", same)


# %% 3.5.3 构建网络：输出有 46 个类别，16 个单元的中间层太窄，会丢掉信息，所以用 64
# 下面要从头训练好几次，写成函数，每次调用都得到全新的权重
def build_model(units=(64, 64), loss="categorical_crossentropy"):
    model = keras.Sequential([keras.Input(shape=(NUM_WORDS,))])
    for n in units:
        model.add(layers.Dense(n, activation="relu"))
    model.add(layers.Dense(46, activation="softmax"))  # 46 个概率，加起来等于 1
    # 分类交叉熵衡量网络输出的概率分布和真实分布之间的距离
    model.compile(optimizer="rmsprop", loss=loss, metrics=["accuracy"])
    return model


model = build_model()
model.summary()

# %% 3.5.4 验证：留出 1 000 条，训练 20 轮
x_val, partial_x_train = x_train[:NUM_VAL], x_train[NUM_VAL:]  # 1000 行和 7982 行
y_val = one_hot_train_labels[:NUM_VAL]  # (1000, 46)
partial_y_train = one_hot_train_labels[NUM_VAL:]  # (7982, 46)
# verbose=2 每轮只打印两行，默认的进度条在 PyCharm 里会刷屏
history = model.fit(
    partial_x_train,
    partial_y_train,
    epochs=EPOCHS,
    batch_size=BATCH_SIZE,
    validation_data=(x_val, y_val),
    verbose=2,
)

# %% 训练损失一路下降，验证损失先降后升（书中第 9 轮最低），之后就是过拟合
# plot_history 就是 3.4 节的画图代码，存成 loss.png 和 accuracy.png
plot_history(history, "3_5_reuters")
best_epoch = int(np.argmin(history.history["val_loss"])) + 1

# %% 从头训练一个新网络，只训练 9 轮，在过拟合之前停下，再看测试集
# 3.4 节这一步用了全部训练数据；书中这里仍只用 7 982 条，留着验证集
# 重设种子，后面换整数标签训练时，才能从同样的初始权重出发
# 前面的网络用的也是这个种子，所以这 9 轮的数字和上面的前 9 轮完全一样
keras.utils.set_random_seed(SEED)
model = build_model()
model.fit(
    partial_x_train,
    partial_y_train,
    epochs=RETRAIN_EPOCHS,
    batch_size=BATCH_SIZE,
    validation_data=(x_val, y_val),
    verbose=2,
)
results = model.evaluate(x_test, one_hot_test_labels, verbose=0)
print("测试集上的 [损失, 精度]：", results)

# %% 随机基准：把测试标签打乱当作预测，也能对将近两成
# 远高于 1/46，因为两个大类占了一半以上
test_labels_copy = copy.copy(test_labels)
np.random.shuffle(test_labels_copy)
hits_array = np.array(test_labels) == np.array(test_labels_copy)
random_acc = float(np.sum(hits_array)) / len(test_labels)
print(f"随机基准的精度 {random_acc:.4f}")

# %% 3.5.5 预测新数据：每条新闻得到 46 个概率
predictions = model.predict(x_test, verbose=0)  # (2246, 46)
print("一条预测的形状：", predictions[0].shape)  # (46,)
print("概率之和：", np.sum(predictions[0]))
print("概率最大的类别：", np.argmax(predictions[0]))

# %% 3.5.6 处理标签的另一种方法：整数标签配稀疏分类交叉熵，数学上是同一个损失
y_train = np.array(train_labels)  # (8982,)，不做 one-hot 编码
y_test = np.array(test_labels)  # (2246,)
# 书中只写到编译，没有训练；后面（书外）的一格再训练它
keras.utils.set_random_seed(SEED)  # 和上面的网络同样的初始权重，才能比较
sparse_model = build_model(loss="sparse_categorical_crossentropy")

# %% 3.5.7 中间层要足够大：第二层只有 4 个单元，46 个类别的信息挤不过去
bottleneck = build_model(units=(64, BOTTLENECK_UNITS))
bottleneck_history = bottleneck.fit(
    partial_x_train,
    partial_y_train,
    epochs=EPOCHS,
    batch_size=BOTTLENECK_BATCH_SIZE,
    validation_data=(x_val, y_val),
    verbose=2,
)
val_acc = max(history.history["val_accuracy"])
bottleneck_acc = max(bottleneck_history.history["val_accuracy"])
drop = (val_acc - bottleneck_acc) * 100
print(f"最高验证精度 {val_acc:.3f} → {bottleneck_acc:.3f}，低 {drop:.1f} 个百分点")

# %% （书外）3.5.6 节的两种标签：对同样的预测，两种损失逐条比较，再照样训练一遍
one_hot_losses = losses.categorical_crossentropy(one_hot_test_labels, predictions)
sparse_losses = losses.sparse_categorical_crossentropy(y_test, predictions)  # (2246,)
loss_difference = np.abs(one_hot_losses - sparse_losses).max()
print(f"{len(y_test)} 条新闻的损失最多相差 {loss_difference:.1e}")
# 损失相同，梯度就相同，训练也就相同；只是浮点舍入会让两次训练慢慢岔开一点
settings = {"epochs": RETRAIN_EPOCHS, "batch_size": BATCH_SIZE, "verbose": 0}
sparse_model.fit(partial_x_train, y_train[NUM_VAL:], **settings)
_, sparse_acc = sparse_model.evaluate(x_test, y_test, verbose=0)
print(f"测试精度：one-hot 标签 {results[1]:.4f}，整数标签 {sparse_acc:.4f}")

# %% （书外）进一步的实验：3.5.8 节只提问，这里逐个跑一遍，每次只改一处
# 各只训练一次；换一个种子，精度就能差几个千分点，差得这么少分不出好坏
experiments = {
    "书中的设置": (64, 64),
    "32 个隐藏单元": (32, 32),
    "128 个隐藏单元": (128, 128),
    "1 个隐藏层": (64,),
    "3 个隐藏层": (64, 64, 64),
}
for title, units in experiments.items():
    variant = build_model(units)
    variant.fit(partial_x_train, partial_y_train, **settings)
    _, variant_acc = variant.evaluate(x_val, y_val, verbose=0)
    print(f"{title}，{RETRAIN_EPOCHS} 轮，验证精度 {variant_acc:.4f}")

# %% （书外）最容易混淆的主题：多半意思相近，或者样本太少
topics = keras.datasets.reuters.get_label_names()  # 46 个主题的英文名
predicted = predictions.argmax(axis=1)  # (2246, 46) → (2246,)
# 混淆矩阵，(46, 46)：行是正确答案，列是网络的判断，格子里是条数
confusion = tf.math.confusion_matrix(y_test, predicted, num_classes=46).numpy()
errors = confusion - np.diag(confusion.diagonal())  # 去掉对角线，只留认错的
rows = []
for position in np.argsort(-errors, axis=None)[:8]:  # 所有格子排成一串，最多的 8 个
    answer, guess = np.unravel_index(position, errors.shape)  # 变回第几行、第几列
    total = confusion[answer].sum()
    rows.append((topics[answer], topics[guess], errors[answer, guess], total))

print(format_table(rows, ["正确主题", "认成", "条数", "该主题共"]))

# %% （书外）测试集中最常见的 12 个主题：每行一个正确主题，格子里是认成各主题的百分比
largest = np.argsort(-confusion.sum(axis=1))[:12]
totals = confusion[largest].sum(axis=1, keepdims=True)  # (12, 1)
shares = 100 * confusion[largest][:, largest] / totals
plt.figure(figsize=(7, 6), layout="constrained")
plt.imshow(shares, cmap="Blues", vmin=0, vmax=100)
for (row, column), share in np.ndenumerate(shares):
    if share >= 0.5:
        color = "white" if share > 50 else "black"
        plt.text(column, row, f"{share:.0f}", ha="center", va="center", color=color)

names = [topics[i] for i in largest]
plt.xticks(range(len(names)), names, rotation=60, ha="right")
plt.yticks(range(len(names)), names)
plt.xlabel("Predicted topic")
plt.ylabel("True topic")
plt.title("12 largest topics: percent of each topic")
save_figure("3_5_reuters", "confusion")

# %% （书外）保存模型和训练历史，再看测试集的第一条新闻：概率最大的三个主题
save_model(model, "3_5_reuters")
save_history(history, "3_5_reuters")
save_history(bottleneck_history, "3_5_reuters", "history_bottleneck.csv")
for topic in np.argsort(-predictions[0])[:3]:
    print(f"{topics[topic]} 的概率 {predictions[0, topic]:.1%}")

# %% 书中的结果和本次的结果
print_comparison(
    [
        ("验证损失最低的轮次", "9", best_epoch),
        ("测试损失", "0.957", f"{results[0]:.4f}"),
        ("测试精度", "0.797", f"{results[1]:.4f}"),
        ("随机基准的精度", "0.187", f"{random_acc:.4f}"),
        ("最高验证精度，中间层 4 个单元", "0.71", f"{bottleneck_acc:.4f}"),
        ("比 64 个单元低的百分点", "8", f"{drop:.1f}"),
    ]
)
plt.show()  # 放在最后，弹出的窗口不会打断训练
