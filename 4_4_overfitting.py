"""4.4 过拟合与欠拟合

任务：判断电影评论是正面还是负面，看网络大小和正则化怎样影响过拟合
数据：IMDB 影评 50 000 条，训练、测试各半，正负各半
网络：multi-hot 编码 → Dense(16) → Dense(16) → Dense(1)；再和更小的、更大的、正则化的比
结果：验证损失，最低的（第几轮） → 第 20 轮的
      原来的：书中 0.283（3） → 0.769，实测 0.286（2） → 0.635
      更小的：书中 0.277（6） → 0.474，实测 0.279（5） → 0.471
      更大的：书中 0.274（2） → 0.890，实测 0.272（3） → 0.842
      L2（含惩罚）：书中 0.331（3） → 0.420，实测 0.336（2） → 0.431
      dropout：书中 0.277（4） → 0.536，实测 0.275（4） → 0.570
开销：2 核、没有 GPU 的电脑上 2 分 21 秒，内存 2.4 GB；首次运行下载 17.5 MB
运行：python 4_4_overfitting.py
产出：output/4_4_overfitting/ 里的图和训练历史
标着（书外）的单元格是书里没有的补充，可以跳过
"""

# 先导入 common，再导入 keras，TensorFlow 才不会往屏幕上写启动日志
from common.datasets import load_imdb
from common.plotting import save_figure
from common.results import print_comparison, save_history

import keras
import matplotlib.pyplot as plt
import numpy as np
from keras import layers, regularizers

# %% 超参数：想做实验，只改这几行
NUM_WORDS = 10_000  # 只保留最常见的一万个词
EPOCHS = 20  # 故意训练过头，好看清过拟合
BATCH_SIZE = 512  # 和书中一样
# 随机种子，训练每个网络之前都重设一次，所以各个网络互不影响
# 换成 2，最低的验证损失相差不到 0.01，最后一轮的相差不到 0.05
SEED = 0
# 小网络每层只有 4 个单元，初始权重不巧，有的 ReLU 单元对什么输入都输出 0，再也学不动
# 种子 0 就不巧，验证损失最低也有 0.41；0 到 7 里有一半不巧，2、3、4、7 没有问题
SMALLER_SEED = 3

keras.utils.set_random_seed(SEED)  # 固定随机种子，两次运行才能互相比较

# %% 准备数据：和 3.4 节一样，multi-hot 编码
(train_data, train_labels), (test_data, test_labels) = load_imdb(NUM_WORDS)


def vectorize_sequences(sequences, dimension=NUM_WORDS):
    # 书中用默认的 float64；uint8 就够，结果完全一样，这个数组只占八分之一的内存
    results = np.zeros((len(sequences), dimension), dtype="uint8")
    for i, sequence in enumerate(sequences):
        results[i, sequence] = 1
    return results


x_train = vectorize_sequences(train_data)  # (25000, 10000)
x_test = vectorize_sequences(test_data)  # (25000, 10000)
# 3.4 节的标签是 (25000,)；后面用交叉熵作指标，标签的形状要和网络的输出一样
y_train = np.asarray(train_labels).astype("float32").reshape((-1, 1))  # (25000, 1)
y_test = np.asarray(test_labels).astype("float32").reshape((-1, 1))  # (25000, 1)

# %% 每个网络都照这样编译和训练，只有网络不同，曲线才能互相比较
# compile(**compiling) 就是 compile(optimizer="rmsprop", …)：** 把字典展开成参数
compiling = {
    "optimizer": "rmsprop",
    "loss": "binary_crossentropy",
    "steps_per_execution": 49,  # 一轮的 49 步才回到 Python 一次，省时间，结果不变
}
# 书中这一节用测试集来验证，这里也一样：只是看曲线，不报告测试精度
# 真要按曲线挑选网络，就得像 3.4 节那样另外留出验证集，否则测试集的信息会泄露到选择里
training = {
    "epochs": EPOCHS,
    "batch_size": BATCH_SIZE,
    "validation_data": (x_test, y_test),
    "verbose": 2,
}

# %% 4.4.1 减小网络大小：先训练原来的网络，后面的都和它比
original_model = keras.Sequential(
    [
        keras.Input(shape=(NUM_WORDS,)),
        layers.Dense(16, activation="relu"),
        layers.Dense(16, activation="relu"),
        layers.Dense(1, activation="sigmoid"),
    ]
)
original_model.compile(**compiling, metrics=["acc"])
original_hist = original_model.fit(x_train, y_train, **training)

# %% 更小的网络：参数是原来的四分之一，记不住那么多，只好学规律
keras.utils.set_random_seed(SMALLER_SEED)
smaller_model = keras.Sequential(
    [
        keras.Input(shape=(NUM_WORDS,)),
        layers.Dense(4, activation="relu"),
        layers.Dense(4, activation="relu"),
        layers.Dense(1, activation="sigmoid"),
    ]
)
smaller_model.compile(**compiling, metrics=["acc"])
smaller_model_hist = smaller_model.fit(x_train, y_train, **training)

# %% 小网络更晚才开始过拟合，开始之后，验证损失也上升得更慢
# 最低点之前，训练得越多，验证损失越低，这是欠拟合；过了最低点，就是过拟合
original_val_loss = original_hist.history["val_loss"]
smaller_model_val_loss = smaller_model_hist.history["val_loss"]
epochs = range(1, len(original_val_loss) + 1)


def plot_with_original(val_loss, label, filename):
    plt.figure()
    plt.plot(epochs, original_val_loss, "b+", label="Original model")  # 蓝色的加号
    plt.plot(epochs, val_loss, "bo", label=label)  # 蓝色的圆点
    plt.xlabel("Epochs")
    plt.ylabel("Validation loss")
    plt.legend()
    save_figure("4_4_overfitting", filename)  # 存成 output/4_4_overfitting/ 里的图


plot_with_original(smaller_model_val_loss, "Smaller model", "smaller")

# %% 更大的网络：参数是原来的 34 倍，远远超过这个问题的需要，训练也慢得多
keras.utils.set_random_seed(SEED)
bigger_model = keras.Sequential(
    [
        keras.Input(shape=(NUM_WORDS,)),
        layers.Dense(512, activation="relu"),
        layers.Dense(512, activation="relu"),
        layers.Dense(1, activation="sigmoid"),
    ]
)
bigger_model.compile(**compiling, metrics=["acc"])
bigger_model_hist = bigger_model.fit(x_train, y_train, **training)

# %% 大网络的验证损失后来上升得更高，起伏也更大
# 书中的大网络第 3 轮就猛升；实测要晚几轮，不同的电脑、不同的种子都会不同
bigger_model_val_loss = bigger_model_hist.history["val_loss"]
plot_with_original(bigger_model_val_loss, "Bigger model", "bigger")

# %% 大网络的训练损失很快接近 0：容量越大，拟合训练数据越快，也就越容易过拟合
original_train_loss = original_hist.history["loss"]
bigger_model_train_loss = bigger_model_hist.history["loss"]
plt.figure()
plt.plot(epochs, original_train_loss, "b+", label="Original model")
plt.plot(epochs, bigger_model_train_loss, "bo", label="Bigger model")
plt.xlabel("Epochs")
plt.ylabel("Training loss")
plt.legend()
save_figure("4_4_overfitting", "bigger_training")

# %% 4.4.2 添加权重正则化：每个权重让损失增加 0.001 乘以它的平方，这就是惩罚
# 想让损失小，权重就不能大；权重都小的网络更简单，更不容易过拟合
# 书中写的是 0.001 乘以权重，漏了平方
keras.utils.set_random_seed(SEED)  # 初始权重、批次的次序都和原来的网络一样
l2_model = keras.Sequential(
    [
        keras.Input(shape=(NUM_WORDS,)),
        layers.Dense(16, kernel_regularizer=regularizers.l2(0.001), activation="relu"),
        layers.Dense(16, kernel_regularizer=regularizers.l2(0.001), activation="relu"),
        layers.Dense(1, activation="sigmoid"),
    ]
)
# 多一个指标：不含惩罚的损失，后面（书外）要用
l2_model.compile(**compiling, metrics=["acc", "binary_crossentropy"])
l2_model_hist = l2_model.fit(x_train, y_train, **training)

# %% 参数个数相同，L2 正则化的网络却不那么容易过拟合
# 它的曲线开头反而更高，是因为验证损失里含有惩罚，见后面的（书外）
l2_model_val_loss = l2_model_hist.history["val_loss"]
plot_with_original(l2_model_val_loss, "L2-regularized model", "l2")

# %% 别的权重正则化：L1 惩罚权重的绝对值，l1_l2 两样都惩罚，换到上面的网络里就能用
regularizers.l1(0.001)
regularizers.l1_l2(l1=0.001, l2=0.001)

# %% 4.4.3 添加 dropout 正则化：训练时随机把一部分输出变成 0，先用 NumPy 做一遍
layer_output = np.random.random((1000, 16))  # 某一层的输出，1000 个样本
# randint 取 0 或 1，各占一半；书中写成 layer_output *= …，这里不改原数组，后面还要用
mask = np.random.randint(0, high=2, size=layer_output.shape)
at_training = layer_output * mask  # 训练时：约一半变成 0
at_test = layer_output * 0.5  # 测试时：乘以保留的比例，和训练时的平均大小才相同
print(f"测试时缩小：训练时平均 {at_training.mean():.3f}，测试时 {at_test.mean():.3f}")
# 通常在训练时就除以保留的比例，测试时就什么也不用做
scaled = layer_output * mask / 0.5
print(f"训练时放大：训练时平均 {scaled.mean():.3f}，测试时 {layer_output.mean():.3f}")

# %% 在网络里添加两个 Dropout 层：有了随机的噪声，网络就不容易记住偶然的规律
keras.utils.set_random_seed(SEED)
dpt_model = keras.Sequential(
    [
        keras.Input(shape=(NUM_WORDS,)),
        layers.Dense(16, activation="relu"),
        layers.Dropout(0.5),  # 0.5 是变成 0 的比例，通常取 0.2 到 0.5
        layers.Dense(16, activation="relu"),
        layers.Dropout(0.5),
        layers.Dense(1, activation="sigmoid"),
    ]
)
dpt_model.compile(**compiling, metrics=["acc"])
dpt_model_hist = dpt_model.fit(x_train, y_train, **training)

# %% 有 dropout 的网络，过拟合来得更晚，也更轻
dpt_model_val_loss = dpt_model_hist.history["val_loss"]
plot_with_original(dpt_model_val_loss, "Dropout-regularized model", "dropout")

# %% （书外）L2 的验证损失里有多少是惩罚：书中说惩罚只在训练时添加，其实 val_loss 也含它
# 去掉惩罚再和原来的网络比才公平，L2 的网络其实比书中的图显示的更好
l2_model_val_bce = l2_model_hist.history["val_binary_crossentropy"]
plt.figure()
plt.plot(epochs, original_val_loss, "b+", label="Original model")
plt.plot(epochs, l2_model_val_loss, "bo", label="L2, with penalty")
plt.plot(epochs, l2_model_val_bce, "b--", label="L2, without penalty")  # 蓝色虚线
plt.xlabel("Epochs")
plt.ylabel("Validation loss")
plt.legend()
save_figure("4_4_overfitting", "l2_penalty")
print(f"训练完的惩罚：{l2_model_val_loss[-1] - l2_model_val_bce[-1]:.4f}")
kernels = l2_model.get_weights()[0:4:2]  # 两个中间层的权重矩阵，跳过偏置
print(f"照定义算的惩罚：{sum(0.001 * (w**2).sum() for w in kernels):.4f}")
# 有惩罚的网络，权重确实小得多
for title, model in [("原来的网络", original_model), ("L2 的网络", l2_model)]:
    weights = model.get_weights()[0]  # 第一层的权重，(10000, 16)
    print(f"{title}，第一层权重绝对值的平均值：{np.abs(weights).mean():.4f}")

# %% （书外）layers.Dropout 和上面第二种 NumPy 写法（训练时放大）是一回事
dropout = layers.Dropout(0.5)
by_keras = dropout(layer_output, training=True).numpy()
by_hand = layer_output * (by_keras != 0) / 0.5  # 和它把相同的位置变成 0
print("训练时和 NumPy 的相同：", np.allclose(by_keras, by_hand))
unchanged = dropout(layer_output, training=False).numpy()
print("测试时原样输出：", np.allclose(unchanged, layer_output))

# %% 书中的结果和本次的结果：验证损失最低是多少（在第几轮），最后一轮是多少
# 最低的其实差不多：小网络和正则化并没有学得更好，只是训练过头之后，验证损失上升得更慢
# 只有 L2 的看上去高，是因为含有惩罚，去掉之后是 0.289（种子 0）
# 书上没有印这些数，取自作者公开的 notebook 的运行记录
histories = [
    ("original", "原来的网络", "0.283（3） → 0.769", original_hist),
    ("smaller", "更小的网络", "0.277（6） → 0.474", smaller_model_hist),
    ("bigger", "更大的网络", "0.274（2） → 0.890", bigger_model_hist),
    ("l2", "L2 正则化", "0.331（3） → 0.420", l2_model_hist),
    ("dropout", "dropout", "0.277（4） → 0.536", dpt_model_hist),
]
rows = []
for filename, title, book, hist in histories:
    save_history(hist, "4_4_overfitting", f"{filename}.csv")
    val_loss = hist.history["val_loss"]
    best = int(np.argmin(val_loss))  # 轮次从 1 数起，所以下面加 1
    ours = f"{val_loss[best]:.3f}（{best + 1}） → {val_loss[-1]:.3f}"
    rows.append((title, book, ours))

print("\n验证损失，最低的（在第几轮） → 最后一轮的：")
print_comparison(rows, ["网络", "书中", "本次"])
plt.show()  # 放在最后，弹出的窗口不会打断训练
