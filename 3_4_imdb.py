"""3.4 电影评论分类：二分类问题

任务：只看评论文字，判断它是正面（1）还是负面（0）
数据：IMDB 影评 50 000 条，训练、测试各半，正负各半
网络：multi-hot 编码 → Dense(16) → Dense(16) → Dense(1) sigmoid
结果：测试精度 0.883（书中） → 0.885（实测）；验证损失都在第 4 轮最低
开销：2 核 CPU 约 40 秒，内存 2.3 GB；首次运行下载 19 MB
运行：python 3_4_imdb.py
产出：output/3_4_imdb/ 里的图、训练历史和模型
"""

from common.datasets import decode_review, encode_review, load_imdb
from common.output import format_table, print_comparison, save_history, save_model
from common.plotting import plot_history, show_figures
from common.settings import check_settings

import keras
import numpy as np
from keras import layers, losses, metrics, optimizers

# %% 超参数：想做实验，只改这几行
NUM_WORDS = 10_000  # 只保留最常见的一万个词，罕见词样本太少，学不到规律
NUM_VAL = 10_000  # 从训练集中留出多少条做验证
EPOCHS = 20  # 故意训练过头，好看清过拟合从哪一轮开始
BEST_EPOCHS = 4  # 书中看过曲线之后定的轮数
BATCH_SIZE = 512  # 同书中
SEED = 0  # 随机种子，换一个数，测试精度相差可达 0.003
# 想判断你自己写的评论，就改这一行，要用英文
MY_REVIEW = "what a waste of time the plot is boring and the acting is awful"

check_settings(globals(), NUM_VAL=24_999)  # 常量设错了，现在就停下；括号里是上限
keras.utils.set_random_seed(SEED)  # 固定随机种子，两次运行才能互相比较

# %% 3.4.1 加载数据：每条评论是一串单词编号，长短不一
(train_data, train_labels), (test_data, test_labels) = load_imdb(NUM_WORDS)
print("第一条评论的前 10 个编号：", train_data[0][:10])
print("第一条评论的标签：", train_labels[0])
print("最大的编号：", max(max(sequence) for sequence in train_data))  # 9999

# %% 把编号还原成英文：编号都加了 3，因为 0、1、2 留给「填充」「序列开始」「未知词」
# 每条评论都以「序列开始」打头，所以还原出来的第一个词是 ?
# 书中的 word_index、reverse_word_index 在 common/datasets.py 的 _decode 附近
decoded_review = decode_review(train_data[0])
print(decoded_review)


# %% 3.4.2 准备数据：列表长短不一，不能直接输入网络，要变成形状固定的张量
def vectorize_sequences(sequences, dimension=NUM_WORDS):
    # multi-hot 编码（书中也叫 one-hot 编码）：编号为 j 的词出现过，第 j 列就是 1
    # 词序和次数都丢掉了
    # 书中用默认的 float64；只有 0 和 1，用 uint8 就够，结果逐位相同
    # 内存峰值因此不到书中做法的四分之一
    results = np.zeros((len(sequences), dimension), dtype="uint8")
    for i, sequence in enumerate(sequences):
        results[i, sequence] = 1
    return results


x_train = vectorize_sequences(train_data)  # (25000, 10000)
x_test = vectorize_sequences(test_data)  # (25000, 10000)
print("第一条评论变成向量：", x_train[0])
y_train = np.asarray(train_labels).astype("float32")  # (25000,)
y_test = np.asarray(test_labels).astype("float32")  # (25000,)


# %% 3.4.3 构建网络：下面要从头训练两次，写成函数，每次都得到全新的权重
# 只搭网络，先不编译，下面要看编译的三种写法
def build_model():
    return keras.Sequential(
        [
            keras.Input(shape=(NUM_WORDS,)),
            layers.Dense(16, activation="relu"),
            layers.Dense(16, activation="relu"),
            layers.Dense(1, activation="sigmoid"),  # 输出「正面」的概率
        ]
    )


model = build_model()
model.summary()

# %% 编译的三种写法，效果相同；重复编译时后一次生效，不会改动权重
# 一、用字符串，最省事
model.compile(optimizer="rmsprop", loss="binary_crossentropy", metrics=["accuracy"])
# 二、用优化器的实例，可以调学习率
model.compile(
    optimizer=optimizers.RMSprop(learning_rate=0.001),
    loss="binary_crossentropy",
    metrics=["accuracy"],
)
# 三、损失和指标用函数对象，也可以换成自己写的函数；这样指标的名字是 binary_accuracy
model.compile(
    optimizer=optimizers.RMSprop(learning_rate=0.001),
    loss=losses.binary_crossentropy,
    metrics=[metrics.binary_accuracy],
)
# 训练用第一种；输出是概率时用交叉熵：错得越离谱，梯度越大，纠正得越快
model.compile(
    optimizer="rmsprop",
    loss="binary_crossentropy",
    metrics=["accuracy"],
    steps_per_execution=10,  # 只为快：每 10 步才回到 Python 一次，结果逐位相同
)

# %% 3.4.4 验证：留出 10 000 条，用训练时没见过的数据才看得出过拟合
x_val, partial_x_train = x_train[:NUM_VAL], x_train[NUM_VAL:]  # 10000 行和 15000 行
y_val, partial_y_train = y_train[:NUM_VAL], y_train[NUM_VAL:]
# verbose=2 每轮只打印两行，默认的进度条在 PyCharm 里会刷屏
history = model.fit(
    partial_x_train,
    partial_y_train,
    epochs=EPOCHS,
    batch_size=BATCH_SIZE,
    validation_data=(x_val, y_val),
    verbose=2,
)
history_dict = history.history
print("history_dict 记录了：", list(history_dict))

# %% 训练损失一路下降，验证损失先降后升，开始上升就是过拟合，网络在死记训练数据
# 书中的画图代码在 common/plotting.py 的 plot_history 里，圆点是训练，实线是验证
plot_history(history, "3_4_imdb")
val_loss_values = history_dict["val_loss"]
best_epoch = int(np.argmin(val_loss_values)) + 1
print(f"验证损失在第 {best_epoch} 轮最低")

# %% 换一个新网络，用全部训练数据，只训练 4 轮，在过拟合之前停下
model = build_model()
model.compile(
    optimizer="rmsprop",
    loss="binary_crossentropy",
    metrics=["accuracy"],
    steps_per_execution=10,
)
model.fit(x_train, y_train, epochs=BEST_EPOCHS, batch_size=BATCH_SIZE, verbose=2)
# 评估不更新权重，批量大小不影响结果；默认每批 32 条，慢得多
results = model.evaluate(x_test, y_test, batch_size=BATCH_SIZE, verbose=0)
print("测试集上的 [损失, 精度]：", results)

# %% 3.4.5 预测：接近 0 或 1 表示有把握，接近 0.5 表示拿不准
predictions = model.predict(x_test, batch_size=BATCH_SIZE, verbose=0)  # (25000, 1)
print(predictions)

# %% （书外）最有把握的评论：判断对的和判断错的各两条
right = (predictions[:, 0] > 0.5) == (y_test == 1)  # (25000,)，每条是否判断正确
confidence = np.abs(predictions[:, 0] - 0.5)  # (25000,)，离 0.5 越远越有把握
for title, chosen in [("判断对", right), ("判断错", ~right)]:
    indices = np.flatnonzero(chosen)
    for i in indices[np.argsort(-confidence[indices])][:2]:
        print(f"{title}：正面概率 {predictions[i, 0]:.4f}，标签 {test_labels[i]}")
        print(f"    {decode_review(test_data[i])[:150]}…")


# %% （书外）进一步的实验：3.4.6 节只提问，这里逐个跑一遍，每次只改一处
# 只用 15 000 条训练，所以第一行和上面的测试精度不同
def build_variant(hidden_layers=2, units=16, activation="relu"):
    variant = keras.Sequential([keras.Input(shape=(NUM_WORDS,))])
    for _ in range(hidden_layers):
        variant.add(layers.Dense(units, activation=activation))
    variant.add(layers.Dense(1, activation="sigmoid"))
    return variant


experiments = [
    ("书中的设置", {}, "binary_crossentropy"),
    ("1 个隐藏层", {"hidden_layers": 1}, "binary_crossentropy"),
    ("3 个隐藏层", {"hidden_layers": 3}, "binary_crossentropy"),
    ("32 个隐藏单元", {"units": 32}, "binary_crossentropy"),
    ("64 个隐藏单元", {"units": 64}, "binary_crossentropy"),
    ("mse 损失", {}, "mse"),  # 均方误差，3.6 节用它
    ("tanh 激活", {"activation": "tanh"}, "binary_crossentropy"),
]
rows = []
for title, settings, loss in experiments:
    keras.utils.set_random_seed(SEED)  # 每个实验从同一个起点出发
    variant = build_variant(**settings)
    variant.compile(
        optimizer="rmsprop", loss=loss, metrics=["accuracy"], steps_per_execution=10
    )
    variant.fit(
        partial_x_train,
        partial_y_train,
        epochs=BEST_EPOCHS,
        batch_size=BATCH_SIZE,
        verbose=0,
    )
    _, val_acc = variant.evaluate(x_val, y_val, batch_size=BATCH_SIZE, verbose=0)
    _, test_acc = variant.evaluate(x_test, y_test, batch_size=BATCH_SIZE, verbose=0)
    rows.append((title, f"{val_acc:.4f}", f"{test_acc:.4f}"))

print(format_table(rows, ["设置", "验证精度", "测试精度"]))

# %% （书外）保存模型，读回来判断你自己写的一条评论，以后就这样用它
model_path = save_model(model, "3_4_imdb")
save_history(history, "3_4_imdb")
reloaded = keras.models.load_model(model_path)
my_sequence = encode_review(MY_REVIEW, NUM_WORDS)
my_x = vectorize_sequences([my_sequence])  # (1, 10000)，只有一条也要保留批量轴
probability = reloaded.predict(my_x, verbose=0)[0, 0]
verdict = "正面" if probability > 0.5 else "负面"
print(f"「{MY_REVIEW}」")
print(f"网络看到的是：{decode_review(my_sequence)}")
print(f"正面概率 {probability:.2f}，判断为{verdict}；模型已保存到 {model_path}")

# %% 书中的结果和本次的结果
# 最高验证精度取自作者公开的 notebook 的运行记录，书上没有印
print_comparison(
    [
        ("验证损失最低的轮次", "4", best_epoch),
        ("最高验证精度", "0.89", f"{max(history_dict['val_accuracy']):.4f}"),
        ("测试损失", "0.293", f"{results[0]:.4f}"),
        ("测试精度", "0.883", f"{results[1]:.4f}"),
    ]
)
show_figures()  # 放在最后，弹出的窗口不会打断训练
