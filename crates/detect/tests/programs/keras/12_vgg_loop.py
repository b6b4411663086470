from keras import layers, models, regularizers

CFG = [32, 32, 'M', 64, 64, 'M', 128, 'M']


def vgg(cfg, shape=(32, 32, 3), classes=100, dense=256):
    model = models.Sequential(name='vgg')
    first = True
    for item in cfg:
        if item == 'M':
            model.add(layers.MaxPooling2D(2, 2))
            continue
        kwargs = {'padding': 'same', 'kernel_regularizer': regularizers.l2(1e-4)}
        if first:
            kwargs['input_shape'] = shape
            first = False
        model.add(layers.Conv2D(item, 3, **kwargs))
        model.add(layers.BatchNormalization())
        model.add(layers.Activation('relu'))
    model.add(layers.Flatten())
    model.add(layers.Dense(dense, activation='relu'))
    model.add(layers.Dropout(0.5))
    model.add(layers.Dense(classes, activation='softmax'))
    return model


model = vgg(CFG, dense=512 // 2)
model.compile(optimizer='nadam', loss='categorical_crossentropy')
