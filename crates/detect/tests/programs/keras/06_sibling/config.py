SIDE = 40
INPUT_SHAPE = (SIDE, SIDE, 3)
CLASSES = len(['cat', 'dog', 'fox'])
OPTIMIZER = 'adam'
EPOCHS = 30
BATCH = EPOCHS + 2
x = y = None
