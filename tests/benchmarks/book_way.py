"""书中的做法，照书中的步骤重写到今天的 Keras 上，只作比较用，不是教学代码

和脚本的差别正是要比较的东西：默认的 float64 矩阵、不加参数的 compile、fit 和
evaluate、K 折验证直接把数组交给 fit、每一轮都重新解码 JPEG 的 ImageDataGenerator、
一个窗口一个窗口地切的 Python 生成器、每步三次往返 Python 的 predict 和 train_on_batch
"""

import os
import tempfile
from pathlib import Path

import keras
import matplotlib.pyplot as plt
import numpy as np
from keras import layers
from keras.utils import to_categorical


def curves(history, keys):
    for key in keys:
        plt.figure()
        plt.plot(history.history[key], "bo")
        plt.plot(history.history[f"val_{key}"], "b")
        plt.savefig(os.devnull, format="png")


def multi_hot(sequences, dimension=10000):
    results = np.zeros((len(sequences), dimension))
    for i, sequence in enumerate(sequences):
        results[i, sequence] = 1.0
    return results


def classifier(units, outputs, activation, loss):
    model = keras.Sequential([keras.Input((10000,))])
    for n in units:
        model.add(layers.Dense(n, activation="relu"))
    model.add(layers.Dense(outputs, activation=activation))
    model.compile(optimizer="rmsprop", loss=loss, metrics=["accuracy"])
    return model


def mnist(epochs=5):
    # 缓存里可能是镜像重新打包的文件，keras.datasets 不认，所以自己读
    home = Path(os.environ.get("KERAS_HOME", Path.home() / ".keras"))
    with np.load(home / "datasets" / "mnist.npz") as f:
        x_train, y_train = f["x_train"], f["y_train"]
        x_test, y_test = f["x_test"], f["y_test"]
    network = keras.Sequential(
        [
            keras.Input((784,)),
            layers.Dense(512, activation="relu"),
            layers.Dense(10, activation="softmax"),
        ]
    )
    network.compile(
        optimizer="rmsprop", loss="categorical_crossentropy", metrics=["accuracy"]
    )
    x_train = x_train.reshape((60000, 784)).astype("float32") / 255
    x_test = x_test.reshape((10000, 784)).astype("float32") / 255
    y_train, y_test = to_categorical(y_train), to_categorical(y_test)
    network.fit(x_train, y_train, epochs=epochs, batch_size=128, verbose=2)
    return network.evaluate(x_test, y_test, verbose=0)[1]


def imdb():
    train, test = keras.datasets.imdb.load_data(num_words=10000)
    index = keras.datasets.imdb.get_word_index()
    words = {i: word for word, i in index.items()}
    print(" ".join(words.get(i - 3, "?") for i in train[0][0]))
    x_train, x_test = multi_hot(train[0]), multi_hot(test[0])
    y_train, y_test = train[1].astype("float32"), test[1].astype("float32")
    model = classifier([16, 16], 1, "sigmoid", "binary_crossentropy")
    history = model.fit(
        x_train[10000:],
        y_train[10000:],
        epochs=20,
        batch_size=512,
        validation_data=(x_train[:10000], y_train[:10000]),
        verbose=2,
    )
    curves(history, ["loss", "accuracy"])
    model = classifier([16, 16], 1, "sigmoid", "binary_crossentropy")
    model.fit(x_train, y_train, epochs=4, batch_size=512, verbose=2)
    results = model.evaluate(x_test, y_test, verbose=0)
    model.predict(x_test, verbose=0)
    return results[1]


def reuters():
    train, test = keras.datasets.reuters.load_data(num_words=10000)
    index = keras.datasets.reuters.get_word_index()
    words = {i: word for word, i in index.items()}
    print(" ".join(words.get(i - 3, "?") for i in train[0][0]))
    x_train, x_test = multi_hot(train[0]), multi_hot(test[0])
    y_train, y_test = to_categorical(train[1]), to_categorical(test[1])
    common = {
        "validation_data": (x_train[:1000], y_train[:1000]),
        "verbose": 2,
    }
    part = x_train[1000:], y_train[1000:]
    loss = "categorical_crossentropy"
    model = classifier([64, 64], 46, "softmax", loss)
    history = model.fit(*part, epochs=20, batch_size=512, **common)
    curves(history, ["loss", "accuracy"])
    model = classifier([64, 64], 46, "softmax", loss)
    model.fit(*part, epochs=9, batch_size=512, **common)
    results = model.evaluate(x_test, y_test, verbose=0)
    model.predict(x_test, verbose=0)
    model = classifier([64, 4], 46, "softmax", loss)
    model.fit(*part, epochs=20, batch_size=128, **common)
    return results[1]


def boston(num_epochs=100, long_num_epochs=500, final_epochs=80):
    (x, y), (x_test, y_test) = keras.datasets.boston_housing.load_data()
    mean, std = x.mean(axis=0), x.std(axis=0)
    x, x_test = (x - mean) / std, (x_test - mean) / std

    def build():
        model = keras.Sequential(
            [
                keras.Input((13,)),
                layers.Dense(64, activation="relu"),
                layers.Dense(64, activation="relu"),
                layers.Dense(1),
            ]
        )
        model.compile(optimizer="rmsprop", loss="mse", metrics=["mae"])
        return model

    n = len(x) // 4
    histories = []
    for epochs, validate in [(num_epochs, False), (long_num_epochs, True)]:
        for i in range(4):
            val = x[i * n : (i + 1) * n], y[i * n : (i + 1) * n]
            rest = np.r_[0 : i * n, (i + 1) * n : len(x)]
            model = build()
            extra = {"validation_data": val} if validate else {}
            history = model.fit(
                x[rest], y[rest], epochs=epochs, batch_size=1, verbose=0, **extra
            )
            if validate:
                histories.append(history.history["val_mae"])
            else:
                model.evaluate(*val, verbose=0)
        keras.backend.clear_session()
    for points in (np.mean(histories, axis=0), np.mean(histories, axis=0)[10:]):
        plt.figure()
        plt.plot(points)
        plt.savefig(os.devnull, format="png")
    model = build()
    model.fit(x, y, epochs=final_epochs, batch_size=16, verbose=0)
    return model.evaluate(x_test, y_test, verbose=0)[1]


def cats_dogs(epochs=30, augmented_epochs=100, augmented_steps=100):
    # tf.keras 里还留着当年的 ImageDataGenerator，变形要用 scipy
    from tensorflow.keras.preprocessing.image import ImageDataGenerator

    home = Path(os.environ.get("KERAS_HOME", Path.home() / ".keras"))
    base = home / "datasets" / "cats_and_dogs_small"

    def convnet(dropout):
        model = keras.Sequential([keras.Input((150, 150, 3))])
        for filters in (32, 64, 128, 128):
            model.add(layers.Conv2D(filters, (3, 3), activation="relu"))
            model.add(layers.MaxPooling2D((2, 2)))
        model.add(layers.Flatten())
        if dropout:
            model.add(layers.Dropout(0.5))
        model.add(layers.Dense(512, activation="relu"))
        model.add(layers.Dense(1, activation="sigmoid"))
        model.compile(
            loss="binary_crossentropy",
            optimizer=keras.optimizers.RMSprop(1e-4),
            metrics=["accuracy"],
        )
        return model

    def train(model, settings, batch_size, steps, epochs):
        def flow(split, **settings):
            generator = ImageDataGenerator(rescale=1.0 / 255, **settings)
            return generator.flow_from_directory(
                base / split,
                target_size=(150, 150),
                batch_size=20 if split == "validation" else batch_size,
                class_mode="binary",
            )

        def forever(batches):
            # 今天的 Keras 不认得当年的生成器没有尽头，直接给它，取完一遍就停
            while True:
                yield next(batches)

        history = model.fit(
            forever(flow("train", **settings)),
            steps_per_epoch=steps,
            epochs=epochs,
            validation_data=forever(flow("validation")),
            validation_steps=50,  # 同书中，1 000 张，每批 20 张
            verbose=2,
        )
        curves(history, ["accuracy", "loss"])
        return history.history["val_accuracy"][-1]

    train(convnet(False), {}, 20, 100, epochs)
    augmentation = {
        "rotation_range": 40,
        "width_shift_range": 0.2,
        "height_shift_range": 0.2,
        "shear_range": 0.2,
        "zoom_range": 0.2,
        "horizontal_flip": True,
        "fill_mode": "nearest",
    }
    return train(convnet(True), augmentation, 32, augmented_steps, augmented_epochs)


def jena_temp(epochs=20):
    home = Path(os.environ.get("KERAS_HOME", Path.home() / ".keras"))
    text = (home / "datasets" / "jena_climate_2009_2016.csv").read_text("utf-8")
    header, *lines = text.strip().split("\n")
    float_data = np.zeros((len(lines), len(header.split(",")) - 1))
    for i, line in enumerate(lines):
        float_data[i] = [float(x) for x in line.split(",")[1:]]
    for part in (slice(None), slice(1440)):
        plt.figure()
        plt.plot(float_data[part, 1])
        plt.savefig(os.devnull, format="png")
    float_data -= float_data[:200000].mean(axis=0)
    float_data /= float_data[:200000].std(axis=0)

    def generator(min_index, max_index, shuffle=False):
        i = min_index + 1440
        while True:
            if shuffle:
                rows = np.random.randint(min_index + 1440, max_index, 128)
            else:
                if i + 128 >= max_index:
                    i = min_index + 1440
                rows = np.arange(i, min(i + 128, max_index))
                i += len(rows)
            samples = np.zeros((len(rows), 240, float_data.shape[-1]))
            targets = np.zeros(len(rows))
            for j, row in enumerate(rows):
                samples[j] = float_data[range(row - 1440, row, 6)]
                targets[j] = float_data[row + 144][1]
            yield samples, targets

    val_steps = (300000 - 200001 - 1440) // 128
    train_gen, val_gen = generator(0, 200000, True), generator(200001, 300000)
    maes = []
    for _ in range(val_steps):
        samples, targets = next(val_gen)
        maes.append(np.mean(np.abs(samples[:, -1, 1] - targets)))
    networks = {
        "dense": [layers.Flatten(), layers.Dense(32, activation="relu")],
        "gru": [layers.GRU(32)],
    }
    for network in networks.values():
        model = keras.Sequential([keras.Input((240, 14)), *network])
        model.add(layers.Dense(1))
        model.compile(optimizer=keras.optimizers.RMSprop(), loss="mae")
        history = model.fit(
            train_gen,
            steps_per_epoch=500,
            epochs=epochs,
            validation_data=val_gen,
            validation_steps=val_steps,
            verbose=2,
        )
        curves(history, ["loss"])


def gan(iterations=10000, save_every=100, num_fixed=10, batch_size=20, latent_dim=32):
    home = Path(os.environ.get("KERAS_HOME", Path.home() / ".keras"))
    folder = home / "datasets" / "cifar10_images" / "train" / "frog"
    paths = sorted(folder.iterdir())
    x_train = np.stack(
        [keras.utils.img_to_array(keras.utils.load_img(p)) for p in paths]
    )
    x_train = x_train / 127.5 - 1
    generator = keras.Sequential(
        [
            keras.Input((latent_dim,)),
            layers.Dense(128 * 16 * 16),
            layers.LeakyReLU(),
            layers.Reshape((16, 16, 128)),
            layers.Conv2D(256, 5, padding="same"),
            layers.LeakyReLU(),
            layers.Conv2DTranspose(256, 4, strides=2, padding="same"),
            layers.LeakyReLU(),
            layers.Conv2D(256, 5, padding="same"),
            layers.LeakyReLU(),
            layers.Conv2D(256, 5, padding="same"),
            layers.LeakyReLU(),
            layers.Conv2D(3, 7, activation="tanh", padding="same"),
        ]
    )
    discriminator = keras.Sequential(
        [keras.Input((32, 32, 3)), layers.Conv2D(128, 3), layers.LeakyReLU()]
    )
    for _ in range(3):
        discriminator.add(layers.Conv2D(128, 4, strides=2))
        discriminator.add(layers.LeakyReLU())
    discriminator.add(layers.Flatten())
    discriminator.add(layers.Dropout(0.4))
    discriminator.add(layers.Dense(1, activation="sigmoid"))
    discriminator.compile(
        optimizer=keras.optimizers.RMSprop(0.0008, clipvalue=1.0),
        loss="binary_crossentropy",
    )
    # 在 Keras 3 上，冻结之前先训练一步，判别器才真的会更新，和书中当年一样
    discriminator.train_on_batch(x_train[:2], np.zeros((2, 1)))
    discriminator.trainable = False
    gan_input = keras.Input((latent_dim,))
    model = keras.Model(gan_input, discriminator(generator(gan_input)))
    model.compile(
        optimizer=keras.optimizers.RMSprop(0.0004, clipvalue=1.0),
        loss="binary_crossentropy",
    )
    start = 0
    for step in range(1, iterations + 1):
        vectors = np.random.normal(size=(batch_size, latent_dim))
        generated = generator.predict(vectors, verbose=0)
        combined = np.concatenate([generated, x_train[start : start + batch_size]])
        labels = np.repeat([[1.0], [0.0]], batch_size, axis=0)
        labels += 0.05 * np.random.random(labels.shape)
        d_loss = discriminator.train_on_batch(combined, labels)
        vectors = np.random.normal(size=(batch_size, latent_dim))
        a_loss = model.train_on_batch(vectors, np.zeros((batch_size, 1)))
        start += batch_size
        if start > len(x_train) - batch_size:
            start = 0
        if step % save_every == 0:
            model.save_weights(Path(tempfile.mkdtemp()) / "gan.weights.h5")
            print("discriminator loss:", d_loss, "adversarial loss:", a_loss)
            keras.utils.save_img(os.devnull, generated[0], file_format="png")
    generator.predict(np.random.normal(size=(num_fixed, latent_dim)), verbose=0)


def overfitting(epochs=20):
    (train, y_train), (test, y_test) = keras.datasets.imdb.load_data(num_words=10000)
    x_train, x_test = multi_hot(train), multi_hot(test)
    y_train, y_test = y_train.astype("float32"), y_test.astype("float32")

    def network(units, dropout=False, **settings):
        model = keras.Sequential([keras.Input((10000,))])
        for _ in range(2):
            model.add(layers.Dense(units, activation="relu", **settings))
            if dropout:
                model.add(layers.Dropout(0.5))
        model.add(layers.Dense(1, activation="sigmoid"))
        model.compile(optimizer="rmsprop", loss="binary_crossentropy", metrics=["acc"])
        return model

    def fit(model):
        return model.fit(
            x_train,
            y_train,
            epochs=epochs,
            batch_size=512,
            validation_data=(x_test, y_test),
            verbose=2,
        )

    def compare(other, key="val_loss"):
        plt.figure()
        plt.plot(original.history[key], "b+")
        plt.plot(other.history[key], "bo")
        plt.savefig(os.devnull, format="png")

    original = fit(network(16))
    compare(fit(network(4)))
    bigger = fit(network(512))
    compare(bigger)
    compare(bigger, "loss")
    compare(fit(network(16, kernel_regularizer=keras.regularizers.l2(0.001))))
    dropout = fit(network(16, dropout=True))
    compare(dropout)
    return min(dropout.history["val_loss"])


def convnet(epochs=5):
    # 缓存里可能是镜像重新打包的文件，keras.datasets 不认，所以自己读
    home = Path(os.environ.get("KERAS_HOME", Path.home() / ".keras"))
    with np.load(home / "datasets" / "mnist.npz") as f:
        x_train, y_train = f["x_train"], to_categorical(f["y_train"])
        x_test, y_test = f["x_test"], to_categorical(f["y_test"])
    x_train = x_train.reshape((60000, 28, 28, 1)).astype("float32") / 255
    x_test = x_test.reshape((10000, 28, 28, 1)).astype("float32") / 255
    model = keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(32, (3, 3), activation="relu"),
            layers.MaxPooling2D((2, 2)),
            layers.Conv2D(64, (3, 3), activation="relu"),
            layers.MaxPooling2D((2, 2)),
            layers.Conv2D(64, (3, 3), activation="relu"),
            layers.Flatten(),
            layers.Dense(64, activation="relu"),
            layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile(
        optimizer="rmsprop", loss="categorical_crossentropy", metrics=["accuracy"]
    )
    model.fit(x_train, y_train, epochs=epochs, batch_size=64, verbose=2)
    return model.evaluate(x_test, y_test, verbose=0)[1]


def embeddings(epochs=10):
    train, test = keras.datasets.imdb.load_data(num_words=10000)
    x_train = keras.utils.pad_sequences(train[0], maxlen=20)
    keras.utils.pad_sequences(test[0], maxlen=20)  # 书中也准备了测试集，没有用
    model = keras.Sequential(
        [
            keras.Input((20,)),
            layers.Embedding(10000, 8),
            layers.Flatten(),
            layers.Dense(1, activation="sigmoid"),
        ]
    )
    model.compile(optimizer="rmsprop", loss="binary_crossentropy", metrics=["acc"])
    history = model.fit(
        x_train,
        train[1],
        epochs=epochs,
        batch_size=32,
        validation_split=0.2,
        verbose=2,
    )
    return max(history.history["val_acc"])


def rnn(epochs=10, maxlen=500):
    train, test = keras.datasets.imdb.load_data(num_words=10000)
    input_train = keras.utils.pad_sequences(train[0], maxlen=maxlen)
    keras.utils.pad_sequences(test[0], maxlen=maxlen)  # 书中也准备了，但是没有用
    for layer in (layers.SimpleRNN(32), layers.LSTM(32)):
        model = keras.Sequential([keras.Input((maxlen,)), layers.Embedding(10000, 32)])
        model.add(layer)
        model.add(layers.Dense(1, activation="sigmoid"))
        model.compile(
            optimizer="rmsprop", loss="binary_crossentropy", metrics=["accuracy"]
        )
        history = model.fit(
            input_train,
            train[1],
            epochs=epochs,
            batch_size=128,
            validation_split=0.2,
            verbose=2,
        )
        curves(history, ["accuracy", "loss"])


def conv1d(imdb_epochs=10, jena_epochs=20, gru_epochs=20, steps_per_epoch=500):
    train, test = keras.datasets.imdb.load_data(num_words=10000)
    x_train = keras.utils.pad_sequences(train[0], maxlen=500)
    keras.utils.pad_sequences(test[0], maxlen=500)
    model = keras.Sequential(
        [
            keras.Input((500,)),
            layers.Embedding(10000, 128),
            layers.Conv1D(32, 7, activation="relu"),
            layers.MaxPooling1D(5),
            layers.Conv1D(32, 7, activation="relu"),
            layers.GlobalMaxPooling1D(),
            # 书中没有 sigmoid，在 Keras 3 上多半不训练；加上它，每一步的计算量不变
            layers.Dense(1, activation="sigmoid"),
        ]
    )
    model.compile(
        optimizer=keras.optimizers.RMSprop(1e-4),
        loss="binary_crossentropy",
        metrics=["accuracy"],
    )
    history = model.fit(
        x_train,
        train[1],
        epochs=imdb_epochs,
        batch_size=128,
        validation_split=0.2,
        verbose=2,
    )
    curves(history, ["accuracy", "loss"])

    home = Path(os.environ.get("KERAS_HOME", Path.home() / ".keras"))
    text = (home / "datasets" / "jena_climate_2009_2016.csv").read_text("utf-8")
    header, *lines = text.strip().split("\n")
    float_data = np.zeros((len(lines), len(header.split(",")) - 1))
    for i, line in enumerate(lines):
        float_data[i] = [float(x) for x in line.split(",")[1:]]
    float_data -= float_data[:200000].mean(axis=0)
    float_data /= float_data[:200000].std(axis=0)

    def generator(lookback, step, min_index, max_index, shuffle=False):
        i = min_index + lookback
        while True:
            if shuffle:
                rows = np.random.randint(min_index + lookback, max_index, 128)
            else:
                if i + 128 >= max_index:
                    i = min_index + lookback
                rows = np.arange(i, min(i + 128, max_index))
                i += len(rows)
            samples = np.zeros((len(rows), lookback // step, float_data.shape[-1]))
            targets = np.zeros(len(rows))
            for j, row in enumerate(rows):
                samples[j] = float_data[range(row - lookback, row, step)]
                targets[j] = float_data[row + 144][1]
            yield samples, targets

    def conv():
        return layers.Conv1D(32, 5, activation="relu")

    pool = layers.MaxPooling1D
    plain = [conv(), pool(3), conv(), pool(3), conv(), layers.GlobalMaxPooling1D()]
    gru = [conv(), pool(3), conv(), layers.GRU(32, dropout=0.1, recurrent_dropout=0.5)]
    for network, lookback, step, epochs in [
        (plain, 1440, 6, jena_epochs),
        (gru, 720, 3, gru_epochs),
    ]:
        model = keras.Sequential([keras.Input((None, 14)), *network, layers.Dense(1)])
        model.compile(optimizer=keras.optimizers.RMSprop(), loss="mae")
        history = model.fit(
            generator(lookback, step, 0, 200000, True),
            steps_per_epoch=steps_per_epoch,
            epochs=epochs,
            validation_data=generator(lookback, step, 200001, 300000),
            validation_steps=(300000 - 200001 - lookback) // 128,
            shuffle=False,
            verbose=2,
        )
        curves(history, ["loss"])


SECTIONS = {
    "2_1_mnist": mnist,
    "3_4_imdb": imdb,
    "3_5_reuters": reuters,
    "3_6_boston": boston,
    "4_4_overfitting": overfitting,
    "5_1_convnet": convnet,
    "5_2_cats_dogs": cats_dogs,
    "6_1_embeddings": embeddings,
    "6_2_rnn": rnn,
    "6_3_jena_temp": jena_temp,
    "6_4_conv1d": conv1d,
    "8_5_gan": gan,
}
