"""5.2 在小型数据集上从头开始训练一个卷积神经网络

任务：看照片分出猫和狗，训练照片只有 2 000 张
数据：Kaggle 猫狗大战的一部分，训练、验证、测试各 2 000、1 000、1 000 张，猫狗各半
网络：四组 Conv2D + MaxPooling2D → Flatten → Dense(512) → Dense(1) sigmoid
结果：验证精度（实测是最后五轮平均）：没有数据增强 0.70 到 0.72（书中） → 0.718
      有数据增强，100 轮 0.82（书中） → 0.804（最高 0.842），20 轮 0.738
开销：2 核 CPU 训练 30 + 20 轮共 13 分钟，内存 1.5 GB；首次运行下载 825 MB
运行：python 5_2_cats_dogs.py，可以随时按 Ctrl-C，同样的命令从上一轮接着训练
产出：output/5_2_cats_dogs/ 里的图、训练历史和两个模型
"""

import os

from common.hardware import bfloat16_is_faster
from common.output import (
    format_table,
    output_dir,
    print_comparison,
    save_history,
    save_model,
)
from common.photos import load_cats_dogs, load_photo, pictures
from common.plotting import (
    label,
    plot_history,
    plot_images,
    save_figure,
    show_figures,
)
from common.settings import check_settings
from common.training import (
    Backup,
    TimeLeft,
    checkpoint_folder,
    whole_history,
)

import keras
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf
from keras import callbacks, layers, optimizers

# %% 超参数：想做实验，只改这几行
IMAGE_SIZE = (150, 150)  # 照片大小不一，统一缩放到这么大，同书中
EPOCHS = 30  # 第一个网络的轮数，同书中，足够看清过拟合
GPU = bool(tf.config.list_physical_devices("GPU"))
AUGMENTED_EPOCHS = 100 if GPU else 20  # 有 GPU 就用书中的 100 轮，没有就少训练一些
BATCH_SIZE = 20  # 同书中，2 000 张正好 100 批
AUGMENTED_BATCH_SIZE = 32  # 同书中
AUGMENTED_STEPS = 100  # 同书中，每轮 100 批共 3 200 张，比 2 000 张多，循环着取
LEARNING_RATE = 1e-4  # 同书中
# RMSprop 把每个梯度除以它近来的均方根，EPSILON 防止除以 0。Keras 3 把它加在平方根里面，
# 默认的 1e-7 相当于当年加在外面的 3e-4，太大；1e-14 开平方，才是当年的 1e-7
EPSILON = 1e-14
MY_PHOTO = r""  # 换成你自己的照片，例如 r"C:\photos\my_cat.jpg"，最后会认一认
SEED = 0  # 随机种子，换一个数，验证精度会变动

check_settings(globals())  # 常量设错了，现在就停下
keras.utils.set_random_seed(SEED)  # 固定随机种子，两次运行才能互相比较
if MY_PHOTO:
    load_photo(MY_PHOTO, IMAGE_SIZE)  # 路径写错了，现在就知道，不用等到训练完

# %% （书外）混合精度：处理器会算 bfloat16 时，卷积用它算，权重仍然存成 float32
# bfloat16 是 16 位的浮点数，有效数字少；这里的精度说的就是有效数字，不是 accuracy
# 先试算一下哪个快：带 AVX512_BF16 或 AMX 的处理器快一倍左右，其余的反而慢
POLICY = "mixed_bfloat16" if bfloat16_is_faster() else "float32"
keras.config.set_dtype_policy(POLICY)
print(f"{'有' if GPU else '没有'} GPU，计算用的数值类型：{POLICY}")

# %% 5.2.1 深度学习与小数据：卷积神经网络学到的特征与位置无关，2 000 张也能起步

# %% 5.2.2 下载数据：书中用 os.mkdir 和 shutil.copyfile 建的文件夹，这里已经建好
train_dir, validation_dir, test_dir = load_cats_dogs()
train_cats_dir = os.path.join(train_dir, "cats")
train_dogs_dir = os.path.join(train_dir, "dogs")
validation_cats_dir = os.path.join(validation_dir, "cats")
validation_dogs_dir = os.path.join(validation_dir, "dogs")
test_cats_dir = os.path.join(test_dir, "cats")
test_dogs_dir = os.path.join(test_dir, "dogs")
# 书中用 os.listdir；pictures 只数照片，macOS、Windows 会在文件夹里留下别的文件
print("训练集，猫：", len(pictures(train_cats_dir)))
print("训练集，狗：", len(pictures(train_dogs_dir)))
print("验证集，猫：", len(pictures(validation_cats_dir)))
print("验证集，狗：", len(pictures(validation_dogs_dir)))
print("测试集，猫：", len(pictures(test_cats_dir)))
print("测试集，狗：", len(pictures(test_dogs_dir)))

# %% 5.2.3 构建网络：特征图的深度从 32 增加到 128，尺寸从 148 减小到 7
model = keras.Sequential(
    [
        keras.Input(shape=(*IMAGE_SIZE, 3)),
        layers.Rescaling(1 / 255),  # 书中在读图时除以 255；放进网络，以后就不会忘
        layers.Conv2D(32, (3, 3), activation="relu"),  # (148, 148, 32)
        layers.MaxPooling2D((2, 2)),  # (74, 74, 32)
        layers.Conv2D(64, (3, 3), activation="relu"),  # (72, 72, 64)
        layers.MaxPooling2D((2, 2)),  # (36, 36, 64)
        layers.Conv2D(128, (3, 3), activation="relu"),  # (34, 34, 128)
        layers.MaxPooling2D((2, 2)),  # (17, 17, 128)
        layers.Conv2D(128, (3, 3), activation="relu"),  # (15, 15, 128)
        layers.MaxPooling2D((2, 2)),  # (7, 7, 128)
        layers.Flatten(),  # (6272,)
        layers.Dense(512, activation="relu"),
        # 只有一个数：是狗的概率；混合精度时，最后一层要留在 float32
        layers.Dense(1, activation="sigmoid", dtype="float32"),
    ]
)
model.summary()  # 参数 3 453 121 个，和书中相同
model.compile(
    loss="binary_crossentropy",
    # epsilon 用默认的 1e-7，梯度小的权重几乎不动，数据增强之后尤其学得慢
    optimizer=optimizers.RMSprop(learning_rate=LEARNING_RATE, epsilon=EPSILON),
    metrics=["accuracy"],
)


# %% 5.2.4 数据预处理：image_dataset_from_directory 代替 ImageDataGenerator
def read_images(directory):
    # 子文件夹的名字就是类别：cats 是 0，dogs 是 1；batch_size=None，先一张一张地给
    dataset = keras.utils.image_dataset_from_directory(
        directory,
        class_names=["cats", "dogs"],
        label_mode="binary",
        image_size=IMAGE_SIZE,
        batch_size=None,
        shuffle=False,
        verbose=False,
    )
    # 书中每一轮都重新解码 JPEG；这里解码一次，存成 uint8 留在内存里，2 000 张 135 MB
    dataset = dataset.map(lambda x, y: (tf.cast(x, "uint8"), y)).cache()
    options = tf.data.Options()
    options.autotune.enabled = False  # fit 结束时有时要等自动调优的线程，最多一分钟
    return dataset.with_options(options)


train_images = read_images(train_dir)  # 每个元素是 (150, 150, 3) 的照片和 (1,) 的标签
validation_images = read_images(validation_dir)
test_images = read_images(test_dir)
# 每轮重新打乱，20 张一批；网络在算这一批时，prefetch 同时准备下一批
train_dataset = train_images.shuffle(2000).batch(BATCH_SIZE).prefetch(2)
# 评估时批量大小不影响结果
validation_dataset = validation_images.batch(100).prefetch(2)
test_dataset = test_images.batch(100).prefetch(2)

# %% 看一个批量的形状
for data_batch, labels_batch in train_dataset:
    print("一批数据的形状：", data_batch.shape)  # (20, 150, 150, 3)
    print("一批标签的形状：", labels_batch.shape)  # (20, 1)，书中是 (20,)
    break

# %% （书外）看几张照片
names = [label("猫", "cat"), label("狗", "dog")]
plot_images(
    data_batch.numpy()[:10],
    [names[int(y)] for y in labels_batch.numpy()[:10, 0]],
    "5_2_cats_dogs",
    "samples",
)

# %% 训练第一个网络：训练精度直奔 100%，验证精度停在 70% 多
# 每轮存一次，中断之后从上一轮接着训练；已经训练完的直接用，不再训练
paths = pictures(train_cats_dir) + pictures(train_dogs_dir)
paths += pictures(validation_cats_dir) + pictures(validation_dogs_dir)
sizes = [path.stat().st_size for path in paths]  # 换了照片，就不会一样大
settings = [BATCH_SIZE, SEED, len(sizes), sum(sizes)]
# 改了网络、这些设置或者照片，或者轮数改得比训练过的还少，就从头训练
checkpoints_1 = checkpoint_folder("5_2_cats_dogs", 1, model, EPOCHS, settings)
model.fit(
    train_dataset,
    epochs=EPOCHS,
    validation_data=validation_dataset,
    # 回调函数：每一轮、每一批之后 fit 会调用它们，7.2 节细讲
    callbacks=[
        TimeLeft(),  # 第一轮之后就知道还要等多久
        callbacks.CSVLogger(checkpoints_1 / "history.csv", append=True),
        Backup(checkpoints_1),
    ],
    shuffle=False,  # 数据集自己会打乱
    verbose=2,  # 每轮只打印两行，默认的进度条在 PyCharm 里会刷屏
)
history = whole_history(checkpoints_1)  # 包括中断之前的那些轮

# %% 保存模型，画出曲线：典型的过拟合
save_model(model, "5_2_cats_dogs", "cats_and_dogs_small_1.keras")
save_history(history, "5_2_cats_dogs", "history_1.csv")
plot_history(history, "5_2_cats_dogs", "plain_")
best_epoch = int(np.argmin(history["val_loss"])) + 1
print(f"验证损失在第 {best_epoch} 轮最低")

# %% 5.2.5 使用数据增强：只变形，不增加新照片，让网络不会两次看到完全相同的画面
# 变形的范围和书中的 ImageDataGenerator 相同；nearest 用最近的像素填补空出来的地方
# 前四种变形都取最近的像素，和当年的 Keras 一样；默认的双线性插值每变一次就模糊一点
options = {
    "fill_mode": "nearest",
    "interpolation": "nearest",
    "dtype": "float32",  # bfloat16 的有效数字太少，算不准坐标
}
data_augmentation = keras.Sequential(
    [
        layers.RandomRotation(40 / 360, **options),  # 旋转，最多 40 度，单位是整圈
        layers.RandomTranslation(0.2, 0.2, **options),  # 上下左右平移，最多两成
        # 错切，把画面推斜，最多两成；Keras 3 从左上角推起，画面还会平移最多一成
        layers.RandomShear(0.2, **options),
        layers.RandomZoom(0.2, 0.2, **options),  # 缩放，高和宽各自最多两成
        layers.RandomFlip("horizontal", dtype="float32"),  # 一半的照片左右翻转
    ]
)

# %% 一张照片的各种变形：还是那只猫，每张都略有不同
img_path = pictures(train_cats_dir)[3]
img = load_photo(img_path, IMAGE_SIZE)  # (150, 150, 3)，uint8
variants = data_augmentation(np.stack([img] * 9), training=True)  # (9, 150, 150, 3)
plot_images(
    [img, *np.asarray(variants).astype("uint8")],
    [label("原图", "original"), *[""] * 9],
    "5_2_cats_dogs",
    "augmented",
)

# %% 数据增强只用在训练数据上；repeat 让数据取完一遍接着取，每轮才够 100 批
batches = train_images.shuffle(2000).repeat().batch(AUGMENTED_BATCH_SIZE)

# %% 变形后的照片仍然高度相关，还要在 Dense 之前加一个 Dropout 层
keras.utils.set_random_seed(SEED)  # 从头开始，卷积层的起点和第一个网络相同
augmented_model = keras.Sequential(
    [
        keras.Input(shape=(*IMAGE_SIZE, 3)),
        layers.Rescaling(1 / 255),
        layers.Conv2D(32, (3, 3), activation="relu"),
        layers.MaxPooling2D((2, 2)),
        layers.Conv2D(64, (3, 3), activation="relu"),
        layers.MaxPooling2D((2, 2)),
        layers.Conv2D(128, (3, 3), activation="relu"),
        layers.MaxPooling2D((2, 2)),
        layers.Conv2D(128, (3, 3), activation="relu"),
        layers.MaxPooling2D((2, 2)),
        layers.Flatten(),
        layers.Dropout(0.5),  # 和第一个网络只差这一层
        layers.Dense(512, activation="relu"),
        layers.Dense(1, activation="sigmoid", dtype="float32"),
    ]
)
augmented_model.compile(
    loss="binary_crossentropy",
    optimizer=optimizers.RMSprop(learning_rate=LEARNING_RATE, epsilon=EPSILON),
    metrics=["accuracy"],
)

# %% 训练第二个网络：两条曲线靠得近，过拟合轻得多；20 轮时验证精度还在上升
settings = [AUGMENTED_BATCH_SIZE, AUGMENTED_STEPS, SEED]
settings += [len(sizes), sum(sizes)]
# 改了变形的种类或范围，也从头训练；层的名字每次运行可能不同，不算
settings += [{**layer.get_config(), "name": ""} for layer in data_augmentation.layers]
checkpoints_2 = checkpoint_folder(
    "5_2_cats_dogs", 2, augmented_model, AUGMENTED_EPOCHS, settings
)
# 接着上次的训练时，照片也接着往下取；在内存里的照片上变形，一次一批，prefetch 让它和
# 训练同时进行
done = len(whole_history(checkpoints_2).get("loss", []))
augmented_dataset = (
    batches.skip(done * AUGMENTED_STEPS)
    .map(lambda x, y: (data_augmentation(x, training=True), y))
    .prefetch(2)
)
augmented_model.fit(
    augmented_dataset,
    steps_per_epoch=AUGMENTED_STEPS,
    epochs=AUGMENTED_EPOCHS,
    validation_data=validation_dataset,
    callbacks=[
        TimeLeft(),
        callbacks.CSVLogger(checkpoints_2 / "history.csv", append=True),
        Backup(checkpoints_2),
    ],
    shuffle=False,
    verbose=2,
)
augmented_history = whole_history(checkpoints_2)

# %% 保存模型，画出曲线
save_model(augmented_model, "5_2_cats_dogs", "cats_and_dogs_small_2.keras")
save_history(augmented_history, "5_2_cats_dogs", "history_2.csv")
plot_history(augmented_history, "5_2_cats_dogs", "augmented_")

# %% （书外）两个网络的精度画在一起
titles = [
    label("没有数据增强：过拟合", "Without augmentation: overfitting"),
    label("数据增强和 Dropout", "With augmentation and dropout"),
]
_, axes = plt.subplots(1, 2, figsize=(9, 4), sharey=True, layout="constrained")
for axis, title, curves in zip(axes, titles, [history, augmented_history]):
    acc, val_acc = curves["accuracy"], curves["val_accuracy"]
    epochs = range(1, len(acc) + 1)
    axis.plot(epochs, acc, "bo", label=label("训练精度", "Training acc"))
    axis.plot(epochs, val_acc, "b", label=label("验证精度", "Validation acc"))
    axis.set_title(title)
    axis.set_xlabel(label("轮次", "Epochs"))

axes[0].set_ylabel(label("精度", "Accuracy"))
axes[0].legend()
save_figure("5_2_cats_dogs", "comparison")

# %% （书外）每一轮的验证精度跳动不小，所以既看最高，也看最后五轮的平均
val_acc = history["val_accuracy"]
augmented_val_acc = augmented_history["val_accuracy"]
plain_mean = np.mean(val_acc[-5:])
augmented_mean = np.mean(augmented_val_acc[-5:])
rows = [
    ("没有", len(val_acc), f"{plain_mean:.3f}", f"{max(val_acc):.3f}"),
    (
        "有",
        len(augmented_val_acc),
        f"{augmented_mean:.3f}",
        f"{max(augmented_val_acc):.3f}",
    ),
]
print(format_table(rows, ["数据增强", "轮数", "验证精度，最后五轮平均", "最高"]))

# %% （书外）测试集上的精度：书中留出了测试集，但这一节没有用到
_, test_acc = model.evaluate(test_dataset, verbose=0)
_, augmented_test_acc = augmented_model.evaluate(test_dataset, verbose=0)
print(f"测试精度：没有数据增强 {test_acc:.3f}，有 {augmented_test_acc:.3f}")

# %% （书外）混淆矩阵：猫和狗，哪个更容易认错
predictions = augmented_model.predict(test_dataset, verbose=0)[:, 0]  # 是狗的概率
# 测试集没有打乱，图像和标签的次序与 predictions 一致
photos, labels = zip(*test_images.as_numpy_iterator())
answers = np.array(labels)[:, 0].astype("int64")  # 0 是猫，1 是狗
guesses = (predictions > 0.5).astype("int64")
confusion = np.zeros((2, 2), dtype="int64")  # 行是正确答案，列是网络的判断
np.add.at(confusion, (answers, guesses), 1)
rows = [("猫", *confusion[0]), ("狗", *confusion[1])]
print(format_table(rows, ["正确答案", "判断为猫", "判断为狗"]))

# %% （书外）错得最有把握的 10 张照片：往往姿势少见、主体太小，或者有别的东西抢镜
wrong = np.flatnonzero(guesses != answers)
worst = wrong[np.argsort(-np.abs(predictions[wrong] - 0.5))][:10]
plot_images(
    [photos[i] for i in worst],
    [
        label(
            f"{names[answers[i]]}，狗的概率 {predictions[i]:.0%}",
            f"{names[answers[i]]}, P(dog) {predictions[i]:.0%}",
        )
        for i in worst
    ],
    "5_2_cats_dogs",
    "wrong",
)

# %% （书外）认一认你自己的照片：在开头设 MY_PHOTO；没有设就用测试集的第一张
reloaded = keras.models.load_model(
    output_dir("5_2_cats_dogs") / "cats_and_dogs_small_2.keras"
)
photo_path = MY_PHOTO or pictures(test_cats_dir)[0]
photo = load_photo(photo_path, IMAGE_SIZE)  # (150, 150, 3)
p_dog = float(reloaded.predict(photo[np.newaxis], verbose=0)[0, 0])  # 批量里只有一张
verdict = "狗" if p_dog > 0.5 else "猫"
print(f"{photo_path}：是{verdict}，狗的概率 {p_dog:.1%}")

# %% 书中的结果和本次的结果
gain = (augmented_mean - plain_mean) / plain_mean
print_comparison(
    [
        ("验证精度，没有数据增强", "0.70 到 0.72", f"{plain_mean:.3f}"),
        ("验证精度，有数据增强", "0.82", f"{augmented_mean:.3f}"),
        ("数据增强训练的轮数", "100", AUGMENTED_EPOCHS),
        ("相对提高", "15%（100 轮）", f"{gain:.0%}（{AUGMENTED_EPOCHS} 轮）"),
    ]
)
show_figures()  # 放在最后，弹出的窗口不会打断训练
