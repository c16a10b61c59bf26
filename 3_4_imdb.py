"""3.4 电影评论分类：二分类问题

任务：只看评论文字，判断它是正面（1）还是负面（0）
数据：IMDB 影评 50 000 条，训练、测试各半，正负各半
网络：multi-hot 编码 → Dense(16) → Dense(16) → Dense(1) sigmoid
结果：测试精度 0.883（书中） → 0.885（实测）；验证损失都在第 4 轮最低
开销：2 核、没有 GPU 的电脑上 31 秒，内存 2.1 GB；首次运行下载 19 MB
运行：python 3_4_imdb.py
产出：output/3_4_imdb/ 里的图、训练历史和模型
标着（书外）的单元格是书里没有的补充，可以跳过
"""

import re

# 先导入 common，再导入 keras，TensorFlow 才不会往屏幕上写启动日志
from common.datasets import load_imdb, load_word_index
from common.plotting import save_figure
from common.results import print_comparison, save_history, save_model

import keras
import matplotlib.pyplot as plt
import numpy as np
from keras import layers, losses, metrics, optimizers

# %% 超参数：想做实验，只改这几行
NUM_WORDS = 10_000  # 只保留最常见的一万个词，罕见词样本太少，学不到规律
NUM_VAL = 10_000  # 从训练集中留出多少条做验证
EPOCHS = 20  # 故意训练过头，好看清过拟合从哪一轮开始
RETRAIN_EPOCHS = 4  # 书中看过曲线之后，重新训练的轮数
BATCH_SIZE = 512  # 和书中一样
SEED = 0  # 随机种子，换一个数，测试精度相差可达 0.003
# 想判断你自己写的评论，就改这一行，要用英文
MY_REVIEW = "what a waste of time the plot is boring and the acting is awful"

keras.utils.set_random_seed(SEED)  # 固定随机种子，两次运行才能互相比较

# %% 3.4.1 加载数据：每条评论是一串单词编号，长短不一
# 返回的和书中的 imdb.load_data(num_words=10000) 一样
(train_data, train_labels), (test_data, test_labels) = load_imdb(NUM_WORDS)
print("第一条评论的前 10 个编号和标签：", train_data[0][:10], train_labels[0])
print("最大的编号：", max([max(sequence) for sequence in train_data]))  # 9999

# %% 把编号还原成英文：编号都加了 3，因为 0、1、2 留给「填充」「序列开始」「未知词」
# 每条评论都以「序列开始」打头，所以还原出来的第一个词是 ?
word_index = load_word_index("imdb")  # {单词: 名次}，书中写作 imdb.get_word_index()
reverse_word_index = {value: key for (key, value) in word_index.items()}
decoded_review = " ".join([reverse_word_index.get(i - 3, "?") for i in train_data[0]])
print(decoded_review)


# %% 3.4.2 准备数据：列表长短不一，不能直接输入网络，要变成形状固定的张量
def vectorize_sequences(sequences, dimension=NUM_WORDS):
    # multi-hot 编码（书中也叫 one-hot 编码）：编号为 j 的词出现过，第 j 列就是 1
    # 词序和次数都丢掉了
    # 书中用默认的 float64；只有 0 和 1，用 uint8 就够，结果完全一样，矩阵小到八分之一
    results = np.zeros((len(sequences), dimension), dtype="uint8")
    for i, sequence in enumerate(sequences):
        results[i, sequence] = 1
    return results


x_train = vectorize_sequences(train_data)  # (25000, 10000)
x_test = vectorize_sequences(test_data)  # (25000, 10000)
print("第一条评论变成向量：", x_train[0])
y_train = np.asarray(train_labels).astype("float32")  # (25000,)
y_test = np.asarray(test_labels).astype("float32")  # (25000,)

# %% 3.4.3 构建网络：两个中间层各有 16 个隐藏单元，最后一层输出「正面」的概率
model = keras.Sequential(
    [
        keras.Input(shape=(NUM_WORDS,)),
        layers.Dense(16, activation="relu"),
        layers.Dense(16, activation="relu"),
        layers.Dense(1, activation="sigmoid"),
    ]
)
model.summary()

# %% 编译的三种写法，效果相同；重复编译时后一次生效，所以把书中的第一种放到最后
# 书中的第二种：用优化器的实例，可以调学习率
model.compile(
    optimizer=optimizers.RMSprop(learning_rate=0.001),
    loss="binary_crossentropy",
    metrics=["accuracy"],
)
# 书中的第三种：损失和指标用函数对象，可以换成自己写的；这样指标叫 binary_accuracy
model.compile(
    optimizer=optimizers.RMSprop(learning_rate=0.001),
    loss=losses.binary_crossentropy,
    metrics=[metrics.binary_accuracy],
)
# 书中的第一种：用字符串，最省事，下面用它训练
# 输出是概率时用交叉熵：错得越离谱，梯度越大，纠正得越快
model.compile(optimizer="rmsprop", loss="binary_crossentropy", metrics=["accuracy"])

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
loss_values = history_dict["loss"]
val_loss_values = history_dict["val_loss"]
epochs = range(1, len(loss_values) + 1)
best_epoch = int(np.argmin(val_loss_values)) + 1  # 轮次从 1 数起

plt.figure()
plt.plot(epochs, loss_values, "bo", label="Training loss")  # bo 是蓝色圆点
plt.plot(epochs, val_loss_values, "b", label="Validation loss")  # b 是蓝色实线
plt.axvline(best_epoch, color="gray", linestyle=":", label=f"Best: {best_epoch}")
plt.title("Training and validation loss")
plt.xlabel("Epochs")
plt.ylabel("Loss")
plt.legend()
save_figure("3_4_imdb", "loss")  # 存成 output/3_4_imdb/loss.png

# %% 精度也是这样；以后各节的这两张图都用 common.plotting 的 plot_history 来画
acc_values, val_acc_values = history_dict["accuracy"], history_dict["val_accuracy"]
plt.figure()
plt.plot(epochs, acc_values, "bo", label="Training accuracy")
plt.plot(epochs, val_acc_values, "b", label="Validation accuracy")
plt.title("Training and validation accuracy")
plt.xlabel("Epochs")
plt.ylabel("Accuracy")
plt.legend()
save_figure("3_4_imdb", "accuracy")

# %% 换一个新网络，用全部训练数据，只训练 4 轮，在过拟合之前停下
model = keras.models.clone_model(model)  # 照样再搭一个，权重是新的随机数
model.compile(optimizer="rmsprop", loss="binary_crossentropy", metrics=["accuracy"])
model.fit(x_train, y_train, epochs=RETRAIN_EPOCHS, batch_size=BATCH_SIZE, verbose=2)
# 评估不更新权重，批量大小不影响结果；默认每批 32 条，慢得多
results = model.evaluate(x_test, y_test, batch_size=BATCH_SIZE, verbose=0)
print("测试集上的 [损失, 精度]：", results)

# %% 3.4.5 预测：接近 0 或 1 表示有把握，接近 0.5 表示拿不准
predictions = model.predict(x_test, batch_size=BATCH_SIZE, verbose=0)  # (25000, 1)
print(predictions)

# %% （书外）进一步的实验：3.4.6 节只提问，这里逐个跑一遍，每次只改一处
# 各只训练一次；换一个种子，精度就能差几个千分点，差得这么少分不出好坏
# 名称、隐藏层数、隐藏单元数、激活函数、损失函数
experiments = [
    ("书中的设置", 2, 16, "relu", "binary_crossentropy"),
    ("1 个隐藏层", 1, 16, "relu", "binary_crossentropy"),
    ("3 个隐藏层", 3, 16, "relu", "binary_crossentropy"),
    ("32 个隐藏单元", 2, 32, "relu", "binary_crossentropy"),
    ("64 个隐藏单元", 2, 64, "relu", "binary_crossentropy"),
    ("mse 损失", 2, 16, "relu", "mse"),  # 均方误差，3.6 节用它
    ("tanh 激活", 2, 16, "tanh", "binary_crossentropy"),
]
for title, hidden_layers, units, activation, loss in experiments:
    hidden = [layers.Dense(units, activation=activation) for _ in range(hidden_layers)]
    variant = keras.Sequential([*hidden, layers.Dense(1, activation="sigmoid")])
    variant.compile(optimizer="rmsprop", loss=loss, metrics=["accuracy"])
    settings = {"epochs": RETRAIN_EPOCHS, "batch_size": BATCH_SIZE, "verbose": 0}
    variant.fit(partial_x_train, partial_y_train, **settings)  # ** 把字典展开成参数
    _, val_acc = variant.evaluate(x_val, y_val, batch_size=BATCH_SIZE, verbose=0)
    print(f"{title}，{RETRAIN_EPOCHS} 轮，验证精度 {val_acc:.4f}")

# %% （书外）保存模型和训练历史，再判断你自己写的一条评论
save_model(model, "3_4_imdb")
save_history(history, "3_4_imdb")
words = re.findall("[a-z0-9']+", MY_REVIEW.lower())  # 小写，去掉标点
numbers = [word_index.get(word, NUM_WORDS) + 3 for word in words]
known = [i for i in numbers if i < NUM_WORDS]  # 不认识的词、罕见词不算
print(f"「{MY_REVIEW}」：{len(words)} 个英文词，网络认识 {len(known)} 个")
if known:  # 一个词也不认识，就没有什么好判断的
    my_x = vectorize_sequences([[1, *known]])  # (1, 10000)，1 是「序列开始」
    probability = model.predict(my_x, verbose=0)[0, 0]
    print(f"正面概率 {probability:.2f}：{'正面' if probability > 0.5 else '负面'}")

# %% 书中的结果和本次的结果
# 最高验证精度取自作者公开的 notebook 的运行记录，书上没有印
print_comparison(
    [
        ("验证损失最低的轮次", "4", best_epoch),
        ("最高验证精度", "0.89", f"{max(val_acc_values):.4f}"),
        ("测试损失", "0.293", f"{results[0]:.4f}"),
        ("测试精度", "0.883", f"{results[1]:.4f}"),
    ]
)
plt.show()  # 放在最后，弹出的窗口不会打断训练
