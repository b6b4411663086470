from keras import Sequential, layers

model = Sequential([
    layers.Input(shape=(24, 24, 3)),
    layers.DepthwiseConv2D(3, padding='same', depth_multiplier=2, activation='swish'),
    layers.Conv2D(16, 1, activation='relu'),
    layers.Conv2D(16, 3, groups=4, padding='same', activation='sigmoid'),
    layers.SeparableConv2D(24, 3, activation='relu'),
    layers.GlobalAvgPool2D(),
    layers.Dense(5),
    layers.Softmax(),
])
model.compile(optimizer='adagrad', loss='categorical_crossentropy')
