"""5.2 在小型数据集上从头开始训练一个卷积神经网络

任务：看照片分出猫和狗，训练照片只有 2 000 张
数据：Kaggle 猫狗大战的一部分，训练、验证、测试各 2 000、1 000、1 000 张，猫狗各半
网络：四组 Conv2D + MaxPooling2D → Flatten → Dense(512) → Dense(1) sigmoid
结果：验证精度（实测是最后五轮的平均），没有数据增强 0.70 到 0.72（书中） → 0.724
      有数据增强 0.82（书中，100 轮） → 0.840（没有 GPU，40 轮）
      测试精度，书中没有：没有数据增强 0.720，有数据增强 0.806
开销：2 核、没有 GPU 的电脑上 11 分钟，内存 1.7 GB；首次运行下载 825 MB
运行：python 5_2_cats_dogs.py，可以随时按 Ctrl-C，同样的命令从上一轮接着训练
产出：output/5_2_cats_dogs/ 里的图和两个模型，checkpoints 里的训练历史
标着（书外）的单元格是书里没有的补充，可以跳过
"""

# 先导入 common，再导入 keras，TensorFlow 才不会往屏幕上写启动日志
from common.photos import load_cats_dogs, load_photo
from common.plotting import plot_history, plot_images
from common.results import print_comparison, save_model
from common.training import Checkpoint, bfloat16_is_faster

import keras
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf
from keras import layers, optimizers

# %% 超参数：想做实验，只改这几行
IMAGE_SIZE = (150, 150)  # 照片大小不一，统一缩放到这么大，和书中一样
EPOCHS = 30  # 第一个网络的轮数，和书中一样，足够看清过拟合
BATCH_SIZE = 20  # 和书中一样，2 000 张正好 100 批
LEARNING_RATE = 1e-4  # 和书中一样
AUGMENTED_BATCH_SIZE = 32  # 和书中一样
AUGMENTED_STEPS = 100  # 和书中一样，每轮 100 批共 3 200 张，比 2 000 张多，循环着取
GPU = bool(tf.config.list_physical_devices("GPU"))
# 有 GPU 就用书中的 100 轮；没有就只训练 40 轮，学习率先大后小，见 5.2.5 节
AUGMENTED_EPOCHS = 100 if GPU else 40
# Keras 3 的 RMSprop 改了算法，默认值会压低小的梯度；1e-14 接近书中当年的做法，
# 推导见 docs/differences.md
EPSILON = 1e-14
MY_PHOTO = r""  # 换成你自己的照片，例如 r"C:\photos\my_cat.jpg"，最后会认一认
SEED = 0  # 随机种子，换一个数，验证精度会变动

keras.utils.set_random_seed(SEED)  # 固定随机种子，两次运行才能互相比较
my_photo = load_photo(MY_PHOTO, IMAGE_SIZE) if MY_PHOTO else None  # 路径不对现在就说
# 有的处理器用 16 位的浮点数 bfloat16 算卷积快得多，时间能省一半；权重仍然存成 float32
if bfloat16_is_faster():
    keras.config.set_dtype_policy("mixed_bfloat16")

print("计算用的数值类型：", keras.config.dtype_policy().name)

# %% 5.2.1、5.2.2 下载数据：2 000 张也能起步，因为卷积神经网络学到的特征与位置无关
# 书中用 os.mkdir 和 shutil.copyfile 建的文件夹，这里已经建好
train_dir, validation_dir, test_dir = load_cats_dogs()
train_cats_dir, train_dogs_dir = train_dir / "cats", train_dir / "dogs"
validation_cats_dir = validation_dir / "cats"
validation_dogs_dir = validation_dir / "dogs"
test_cats_dir, test_dogs_dir = test_dir / "cats", test_dir / "dogs"
print("total training cat images:", len(list(train_cats_dir.glob("*.jpg"))))
print("total training dog images:", len(list(train_dogs_dir.glob("*.jpg"))))
print("total validation cat images:", len(list(validation_cats_dir.glob("*.jpg"))))
print("total validation dog images:", len(list(validation_dogs_dir.glob("*.jpg"))))
print("total test cat images:", len(list(test_cats_dir.glob("*.jpg"))))
print("total test dog images:", len(list(test_dogs_dir.glob("*.jpg"))))

# %% 5.2.3 构建网络：特征图的深度从 32 增加到 128，尺寸从 148 减小到 7
model = keras.Sequential(
    [
        keras.Input(shape=(*IMAGE_SIZE, 3)),
        layers.Rescaling(1 / 255),  # 书中在读图时除以 255；放进网络，认照片时就不会忘
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
        # 只有一个数：是狗的概率；bfloat16 只有两三位有效数字，所以这一层用 float32 算
        layers.Dense(1, activation="sigmoid", dtype="float32"),
    ]
)
model.summary()  # 参数 3 453 121 个，和书中相同
model.compile(
    loss="binary_crossentropy",
    optimizer=optimizers.RMSprop(learning_rate=LEARNING_RATE, epsilon=EPSILON),
    metrics=["accuracy"],
)

# %% 5.2.4 数据预处理：image_dataset_from_directory 代替 ImageDataGenerator
# 子文件夹的名字就是类别，按字母顺序编号：cats 是 0，dogs 是 1；读出来已经打乱
train_dataset = keras.utils.image_dataset_from_directory(
    train_dir, label_mode="binary", image_size=IMAGE_SIZE, batch_size=BATCH_SIZE
)
validation_dataset = keras.utils.image_dataset_from_directory(
    validation_dir, label_mode="binary", image_size=IMAGE_SIZE, batch_size=BATCH_SIZE
)
for data_batch, labels_batch in train_dataset:
    print("data batch shape:", data_batch.shape)  # (20, 150, 150, 3)
    print("labels batch shape:", labels_batch.shape)  # (20, 1)，书中是 (20,)
    break


# 书中每一轮都重新读一遍 JPEG；cache 让每张照片只读一遍，留在内存里，
# 每轮只打乱各批的次序
# 缩放之后是 float32，取整成 uint8 再存，内存只占四分之一
def to_uint8(images, labels):
    return tf.cast(images, "uint8"), labels


train_dataset = train_dataset.map(to_uint8).cache()
validation_dataset = validation_dataset.map(to_uint8).cache()

# %% 训练第一个网络：训练精度直奔 100%，验证精度停在 70% 多
# 每轮存一次，中断之后从上一轮接着训练；已经训练完的直接用，不再训练
# 书中的 steps_per_epoch=100 和 validation_steps=50 不用写，数据集知道自己有多少批
checkpoint = Checkpoint("5_2_cats_dogs", "plain", model, [EPOCHS, BATCH_SIZE, SEED])
model.fit(
    train_dataset.shuffle(100),
    epochs=EPOCHS,
    validation_data=validation_dataset,
    initial_epoch=checkpoint.done,
    callbacks=[checkpoint],  # 每一轮之后 fit 会调用它，7.2 节细讲
    shuffle=False,  # 数据集自己会打乱
    verbose=2,  # 每轮只打印两行，默认的进度条在 PyCharm 里会刷屏
)
history = checkpoint.history  # 包括中断之前的那些轮

# %% 保存模型，画出曲线：典型的过拟合
save_model(model, "5_2_cats_dogs", "cats_and_dogs_small_1.keras")
plot_history(history, "5_2_cats_dogs", "plain_")
print(f"验证损失在第 {np.argmin(history['val_loss']) + 1} 轮最低")


# %% 5.2.5 使用数据增强：每次都把照片随机变形，让网络不会两次看到完全相同的画面
# 变形的种类和范围与书中的 ImageDataGenerator 相同，也和它一样，几种变形合成一次完成：
# 对新照片上的每个点，算出该到原照片的哪里取颜色；空出来的地方，用最近的像素填补
def augment(images):  # (n, 150, 150, 3) → (n, 150, 150, 3)
    n, (height, width) = tf.shape(images)[0], IMAGE_SIZE
    angle = tf.random.uniform([n], -40, 40) * np.pi / 180  # 旋转，最多 40 度
    shear = tf.random.uniform([n], -0.2, 0.2)  # 错切，把画面推斜
    zoom_x, zoom_y = tf.unstack(tf.random.uniform([2, n], 0.8, 1.2))  # 缩放，最多两成
    flip = tf.sign(tf.random.uniform([n], -1, 1))  # 1 或 -1，一半的照片左右翻转
    shift_x = width * tf.random.uniform([n], -0.2, 0.2)  # 平移，最多两成
    shift_y = height * tf.random.uniform([n], -0.2, 0.2)
    # 以照片的中心为原点，先缩放、翻转，再错切，再旋转：(x, y) → (a x + b y, c x + d y)
    cos, sin = tf.cos(angle), tf.sin(angle)
    a, b = cos * flip * zoom_x, (cos * shear - sin) * zoom_y
    c, d = sin * flip * zoom_x, (sin * shear + cos) * zoom_y
    # 最后平移，再把原点从中心换回左上角；后两列用于透视，这里用不到
    cx, cy, zero = (width - 1) / 2, (height - 1) / 2, tf.zeros([n])  # 照片的中心
    e, f = cx - a * cx - b * cy + shift_x, cy - c * cx - d * cy + shift_y
    transforms = tf.stack([a, b, e, c, d, f, zero, zero], axis=1)  # (n, 8)
    return keras.ops.image.affine_transform(
        images, transforms, interpolation="nearest", fill_mode="nearest"
    )


# %% 一张照片的各种变形：还是那只猫，每张都略有不同
fnames = sorted(train_cats_dir.glob("*.jpg"))
img = load_photo(fnames[3], IMAGE_SIZE)  # (150, 150, 3)
variants = [img, *augment(np.stack([img] * 9)).numpy()]  # 原来的和 9 张变形的
plot_images(variants, ["original", *[""] * 9], "5_2_cats_dogs", "augmented")

# %% 变形后的照片仍然高度相关，还要在 Dense 之前加一个 Dropout 层
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
# 书中的学习率始终是 1e-4，要 100 轮才学得好；没有 GPU 就从 5 倍开始，逐渐减小到 0
learning_rate = LEARNING_RATE
if not GPU:
    learning_rate = optimizers.schedules.CosineDecay(
        5 * LEARNING_RATE, decay_steps=AUGMENTED_EPOCHS * AUGMENTED_STEPS
    )

augmented_model.compile(
    loss="binary_crossentropy",
    optimizer=optimizers.RMSprop(learning_rate=learning_rate, epsilon=EPSILON),
    metrics=["accuracy"],
)
keras.config.set_dtype_policy("float32")  # 只有这两个网络用 bfloat16，以后建的不用

# %% 数据增强只用在训练数据上；repeat 让数据取完一遍接着取，每轮才够 100 批
# 网络在算这一批时，prefetch 同时准备下一批
photos = train_dataset.unbatch().shuffle(2000).repeat().batch(AUGMENTED_BATCH_SIZE)
augmented_dataset = photos.map(lambda x, y: (augment(x), y)).prefetch(2)

# %% 训练第二个网络：两条曲线靠得近，过拟合轻得多，验证精度高得多
# 训练精度是在变形的照片上算的，还开着 dropout，所以可能比验证精度低
# 只改了 augment，程序看不出来：先删掉 output/5_2_cats_dogs/checkpoints/，再运行
settings = [AUGMENTED_EPOCHS, AUGMENTED_STEPS, AUGMENTED_BATCH_SIZE, SEED]
checkpoint = Checkpoint("5_2_cats_dogs", "augmented", augmented_model, settings)
augmented_model.fit(
    augmented_dataset,
    steps_per_epoch=AUGMENTED_STEPS,
    epochs=AUGMENTED_EPOCHS,
    validation_data=validation_dataset,
    initial_epoch=checkpoint.done,
    callbacks=[checkpoint],
    shuffle=False,
    verbose=2,
)
augmented_history = checkpoint.history

# %% 保存模型，画出曲线；灰色虚线是第一个网络的验证曲线，用来比较
save_model(augmented_model, "5_2_cats_dogs", "cats_and_dogs_small_2.keras")
label = "Validation, without augmentation"
plot_history(augmented_history, "5_2_cats_dogs", "augmented_", history, label)

# %% （书外）测试集上的精度：书中留出了测试集，但这一节没有用到
# 验证精度每一轮都在跳动，所以取最后五轮的平均
test_dataset = keras.utils.image_dataset_from_directory(
    test_dir, label_mode="binary", image_size=IMAGE_SIZE, batch_size=100, shuffle=False
)
plain_val_acc = np.mean(history["val_accuracy"][-5:])
augmented_val_acc = np.mean(augmented_history["val_accuracy"][-5:])
_, plain_test_acc = model.evaluate(test_dataset, verbose=0)
_, augmented_test_acc = augmented_model.evaluate(test_dataset, verbose=0)
print(f"没有数据增强：验证 {plain_val_acc:.3f}，测试 {plain_test_acc:.3f}")
print(f"有数据增强：验证 {augmented_val_acc:.3f}，测试 {augmented_test_acc:.3f}")

# %% （书外）混淆矩阵：猫和狗，哪个更容易认错
predictions = augmented_model.predict(test_dataset, verbose=0)[:, 0]  # 是狗的概率
# 测试集没有打乱，图像和标签的次序与 predictions 一致
test_photos = np.concatenate([x.numpy().astype("uint8") for x, _ in test_dataset])
answers = np.concatenate([y.numpy()[:, 0] for _, y in test_dataset])  # 0 是猫，1 是狗
guesses = (predictions > 0.5).astype("float32")
confusion = tf.math.confusion_matrix(answers, guesses, num_classes=2).numpy()
print(f"{confusion[0].sum()} 张猫，认成狗的有 {confusion[0, 1]} 张")
print(f"{confusion[1].sum()} 张狗，认成猫的有 {confusion[1, 0]} 张")

# %% （书外）错得最有把握的 10 张照片：往往姿势少见、主体太小，或者有别的东西抢镜
wrong = np.flatnonzero(guesses != answers)
confidence = np.abs(predictions[wrong] - 0.5)
worst = wrong[np.argsort(-confidence)][:10]  # 加负号就从大到小排，取前 10 张
names = ["cat", "dog"]
titles = [f"{names[int(answers[i])]}, P(dog) {predictions[i]:.0%}" for i in worst]
plot_images(test_photos[worst], titles, "5_2_cats_dogs", "wrong")

# %% （书外）认一认你自己的照片：在开头设 MY_PHOTO；没有设就用测试集的第一张
if my_photo is None:
    my_photo = test_photos[0]

# 批量里只有一张，(1, 150, 150, 3)
p_dog = augmented_model.predict(my_photo[np.newaxis], verbose=0)[0, 0]
verdict = "狗" if p_dog > 0.5 else "猫"
print(f"{MY_PHOTO or '测试集的第一张'}：是{verdict}，狗的概率 {p_dog:.1%}")

# %% 书中的结果和本次的结果；本次的验证精度是最后五轮的平均
gain = (augmented_val_acc - plain_val_acc) / plain_val_acc
print_comparison(
    [
        ("验证精度，没有数据增强", "0.70 到 0.72", f"{plain_val_acc:.3f}"),
        ("验证精度，有数据增强", "0.82", f"{augmented_val_acc:.3f}"),
        ("数据增强训练的轮数", "100", AUGMENTED_EPOCHS),
        ("相对提高", "15%", f"{gain:.0%}"),
    ]
)
plt.show()  # 放在最后，弹出的窗口不会打断训练
