import { inflateSync } from 'node:zlib';

/**
 * What `torch.save` of PyTorch 2.13 writes for an OrderedDict with `_metadata`: `a` and `b` one BF16 tensor
 * [[0, 1, 2], [3, 4, 5]], `c` the F32 elements 2 to 5 of `arange(8)` as [[2, 3], [4, 5]]; by protocol of the
 * pickle.
 */
export const TORCH_SAVED: Readonly<Record<2 | 4, Buffer>> = {
  2: inflated(
    'eNqllUtv00AQxzdx67huSR9ASwuUIi5BgtTOO+WRyCBffCAtICIuluOYxsKNu/amiIpKkRCVOCFxRqjfgQPihsQn4M6hEidOfAPErN26tktTKJuMNon3P/PbnZlNQ2GGEOI4dGhMoCmkOXrH3DAW2xrRsutPLVlKo8eR0U/qum1Zhk5Mu+vy95y24Rjtu6ZOeIyuruBEppkAZxpO6sQGb1m1R0zL5VXHaPVMq60So+vajrqR4zGTyTRTsNiFldqqgYd8CS/Jlq0RsXTf/53Hw55PAbNNBmZ9vYdTCkswt6wgJakw23hEYZTENuZfdyjDKMFjK/iUJ2rhdMf/pOPxDkTs7EfxggQhJrw1Ip7spBSO4KllcAyvbXwaJnB9xnd9luDpFTzT28LnmiMgUNcMotHTwrPe87kmPUp8fgtf8La2YTguHBS+qCRc121lG0qK+9KrPahBNGqNI9Mxg24G6cg+sZ01jah73mSpEsvK3w+REnz8+e0l3S61ownmUPmAYC9HqmaZq901o0tkKX8SiFKBAtSe4R9JCJEcCDCJagFA6zkxbFpssnTjxJuHYZmEWAZleHXr+ywLUdiBDGl0O9IVi4IsLf0HAEL9GqrX6/36Tp1SfLi8uzQGccaOoahEKURZKqCTxacDGBCqwxusD7YD9hls12N6Uec3F2DBwkCmcXQlYAoK89JxUHmeRvj6fvXh8fmfR7mDAvS27RqOCRW4qdHbRzXbspT9x1MQiiVRFCrFXL4kVktloZirFoRytSrki+VKHp4Wy4VyvlKllI8+/RrJAEfGo0xQ2IAz3MQTh8jj92hcHW7AmYjyTQId1fZxJ+Emmos2ThIN6Ny4n3AjTEb8vA35CRowLg9XcDoin2ZQrHfi2nClRbXv4loxrg3X0HhEKwyheGXGxeHUzkf3HBL/uegaCste2y9R5nqg5GLzaNKfK8P+DDr6l4DupPzv/u07zPoazlvvr/0NnjunVQ==',
  ),
  4: inflated(
    'eNqlVM9r1EAUniTb3bS7dtuKFnuoLSJE0O3O/kpb0YYgueTgWulFhJDdTZtguqnJbMWisCAWlNw6XqX4L4h49V/oQS96KHjypEePziTtNsm6Xaxv8xiSfd/3vnnz3tRVLgUAz4M+mwBTQHebprVtLLR0pBe2HtmKPA4exKybepNlQoCfbTq2bTSR5bQ97Gfvui3DNVp3rCbCe/jaKhZ8Rsd+DjmEtaB1kGWTsCnNNRody25pyGh7jqttl0i0IPgZjwTqGwb2RwIE9vOyYjs6grX7R//sYZ8pYp9rbnWwmkb4ngpUVuV2scqpzC5+ZbIkK8KrJKyBzfM+08RmRhBM3hz1cwFXlAli85zKUxaW/ggLG2fpPMf+qLZpIJ3WAwfffYDJ18y24Xpk21hlPM9rFOpqhr+w9nrqIikN9frAKk+Dq70qF9Ydd1NH2hGZIs8niv0XgzTVx5/fXtBDoD441QwQT1IdFVfTbWujvWm0kSKXh2frt1qFClh58vgHS1KwpwqYBCs9AY2nyHBogyjyzbPkPTbbQsg2qIaXt75fSpMs6VM1jIPbsa5eKCry8n8IAKC7AiRJ6kr7ElXxfv5wOUfy5IaoWIyrgIpcAWfLT41oAEAiD/Eu8X3in4gfBpqeSWM7cyRg7lRNeXClp6nXgZeHiSqP0QwHbzfWhp//LCidNGCwbc9wLdKBOzq9MzSrpciFf6xCsVqDsLhYLZVrcKkmFqulpQokiygWYaVcLcEqhCIURary84ev7wSiQwhUMlRsT2d0Wif6lCfvwSQ6OoDTMeQ6AwbNd5IkOkQzMZKDKEnf5CZ5ooMwGeNZZUH/ACbh0Q4ej8G/sCAxO0lstNPi2IdcAguT2GgP5WPYXxHsgNpFj3Y2vucUGNJ0dTWdvn7cotyNHpJPrFk2XH+nwpXgMnTlMuF7ePuOpEMMH8SHsX8Ane6tVQ==',
  ),
};

function inflated(base64: string): Buffer {
  return inflateSync(Buffer.from(base64, 'base64'));
}
