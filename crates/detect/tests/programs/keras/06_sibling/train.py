import config
from keras.layers import Dense, Conv2D, MaxPool2D, Flatten
from keras.models import Sequential
from settings.network import WIDTH, DEPTH


def build():
    model = Sequential()
    model.add(Conv2D(WIDTH, 3, padding='same', activation='relu', input_shape=config.INPUT_SHAPE))
    for level in range(1, DEPTH):
        model.add(Conv2D(WIDTH * 2 ** level, 3, activation='relu'))
        model.add(MaxPool2D())
    model.add(Flatten())
    model.add(Dense(config.CLASSES, activation='softmax'))
    model.compile(optimizer=config.OPTIMIZER, loss='categorical_crossentropy')
    return model


if __name__ == '__main__':
    build().fit(config.x, config.y, epochs=config.EPOCHS, batch_size=config.BATCH)
