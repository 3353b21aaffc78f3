"""A local page that shows what models see in a picture."""
import mmcv

from .checks import InputError


def build_page(models, names, maps=None):
    """Build the page: a picture in, the predictions of the models, where they
    differ and the bias maps out.

    Args:
        models (list[Predictor]): One model or two.
        names (list[str]): Their names on the page.
        maps (BiasPictures, optional): The bias maps of the first model.
            Defaults to None.

    Returns:
        gradio.Blocks: The page.

    Raises:
        InputError: If gradio is not installed.
    """
    try:
        import gradio
    except ImportError as error:
        raise InputError('--web needs gradio: pip install "sb-mm[web]", or '
                         'pip install gradio') from error

    def show(picture):
        if picture is None:
            raise gradio.Error('Drop a picture first.')
        image = mmcv.rgb2bgr(picture)
        predictions = [model([image])[0] for model in models]
        shown = [
            mmcv.bgr2rgb(model.draw(image.copy(), sample))
            for model, sample in zip(models, predictions)
        ]
        if len(models) == 2:
            difference = models[0].difference(*predictions)
            shown.append(', '.join(f'{name}: {value or "none"}'
                                   for name, value in difference.items()))
        if maps:
            shown.append([(stage, name)
                          for name, stage in next(maps.draw()).items()])
        return shown if len(shown) > 1 else shown[0]

    with gradio.Blocks(title='sb_mm', analytics_enabled=False) as page:
        gradio.Markdown('# What the network sees\n' + ' and '.join(
            f'**{name}**' for name in names))
        picture = gradio.Image(label='Drop a picture', type='numpy')
        button = gradio.Button('Predict', variant='primary')
        with gradio.Row():
            shown = [gradio.Image(label=name) for name in names]
        if len(models) == 2:
            shown.append(gradio.Textbox(label='Where they differ'))
        if maps:
            shown.append(gradio.Gallery(
                label='Bias maps of the first, by stage', columns=1,
                height='auto', object_fit='contain'))
        button.click(show, picture, shown)
    return page


def serve(page, port):
    """Serve a page on this machine alone, until Ctrl-C.

    Args:
        page (gradio.Blocks): The page.
        port (int): Port of 127.0.0.1.
    """
    page.launch(
        server_name='127.0.0.1',
        server_port=port,
        share=False,
        max_file_size='20mb')
