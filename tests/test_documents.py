"""What the documents say can be run, runs.

A block of code is run here, or parsed by the tool that it calls where it is
marked ``<!-- not run: why -->``. Blocks that another test runs are named in
``RUN_ELSEWHERE``.
"""
import re
import runpy
import shlex
import shutil
import sys

import nbformat
import pytest
import torch
from conftest import ROOT
from mmengine.config import Config
from mmengine.registry import MODELS, init_default_scope
from nbclient import NotebookClient

from sb_mm.analysis import fill_tables

DOCUMENTS = [
    ROOT / 'README.md', ROOT / 'configs/comparison/README.md',
    *sorted((ROOT / 'docs').glob('*.md'))
]
#: Document: the test that runs its Python, unless it is a part of a config.
RUN_ELSEWHERE = {
    'checkpoints.md': 'test_checkpoints.py',
    'deploy.md': 'test_predictions.py',
    'plugin.md': 'test_plugin.py',
    'reference.md': 'test_type_names.py',
}


def blocks():
    for document in DOCUMENTS:
        for found in re.finditer(
                r'(?:<!-- (not run: [^>]*) -->\n)?^```(\w+)\n(.*?)^```$',
                document.read_text(), re.M | re.S):
            mark, language, text = found.groups()
            yield pytest.param(
                document.name, language, text, mark,
                id=f'{document.relative_to(ROOT)}-{found.start()}')


@pytest.mark.parametrize('document, language, text, mark', list(blocks()))
def test_block(document, language, text, mark, run_tool, monkeypatch):
    if language == 'python':
        if 'model = dict' in text:
            build(text)
        else:
            test = ROOT / 'tests' / RUN_ELSEWHERE[document]
            assert f'docs/{document}' in test.read_text()
        return
    assert language == 'shell'
    lines = text.replace('\\\n', ' ').splitlines()
    commands = [shlex.split(line, comments=True) for line in lines]
    ours = [each for each in commands if each[0].startswith('tools/')
            and each[0].endswith('.py')]
    assert mark or ours == commands, 'neither run nor marked'
    for tool, *args in ours:
        if mark:
            check_arguments(tool, args, monkeypatch)
        else:
            result = run_tool(tool.removeprefix('tools/'), *(
                ROOT / arg if arg.startswith('configs/') else arg
                for arg in args))
            assert not result.returncode, result.stdout


def build(text):
    """Build the backbone that a part of a config names."""
    if '_base_' not in text:
        text = "_base_ = 'mmdet::_base_/models/mask-rcnn_r50_fpn.py'\n" + text
    cfg = Config.fromstring(text, '.py')
    init_default_scope('mmdet')
    cfg.model.backbone.init_cfg = None  # needs the file
    net = MODELS.build(cfg.model.backbone)
    assert any('bias' in type(module).__name__.lower()
               for module in net.modules())
    with torch.no_grad():
        net.eval()  # MMDetection's own returns nothing
        assert len(net(torch.rand(1, 3, 64, 64))) == 4


def check_arguments(tool, args, monkeypatch):
    """Have the parser of a tool take its arguments, whose configs exist."""
    folder = str(ROOT / 'tools')
    monkeypatch.syspath_prepend(folder)
    globbed = []
    for arg in args:
        expanded = sorted(ROOT.glob(re.sub(r'\{.*\}', '*', arg))) if (
            arg.startswith('configs/')) else [arg]
        # a config of one's own is a copy of one of ours
        assert expanded or arg.endswith('/mine.py'), f'there is no {arg}'
        globbed += map(str, expanded or [arg])
    monkeypatch.setattr(sys, 'argv', [tool, *globbed])
    runpy.run_path(str(ROOT / tool), run_name='documents')['parse_args']()


@pytest.mark.parametrize('document', DOCUMENTS, ids=lambda path: path.name)
def test_links(document):
    """Links between the documents, and what they show, lead somewhere."""
    text = document.read_text()
    for target in re.findall(r'\]\((?!https?:)([^)]+)\)', text):
        path, _, anchor = target.partition('#')
        file = (document.parent / path) if path else document
        assert file.exists(), target
        if anchor:
            anchors = {
                re.sub(r'[^\w\- ]', '', title.lower()).replace(' ', '-')
                for title in re.findall(r'^#+ (.*)$', file.read_text(), re.M)
            }
            assert anchor in anchors, target


def test_tables(tmp_path, monkeypatch):
    """Tables in the documents are those of the files that they name."""
    monkeypatch.chdir(ROOT)
    copy, files = tmp_path / 'document.md', {}
    for document in DOCUMENTS:
        if '<!-- table: ' in document.read_text():
            shutil.copy(document, copy)
            # others lie in work_dirs/
            files.update(fill_tables(copy, keep_missing=True))
            assert copy.read_text() == document.read_text(), document
    assert any(files.values())


def test_named_files_exist():
    """Tools, configs and documents that the text names in backquotes."""
    for document in DOCUMENTS:
        for name in re.findall(
                r'`((?:tools|configs|docs|sb_mm|tests)/[\w./]+\.\w+)[^`]*`',
                document.read_text()):
            assert (ROOT / name).exists(), f'{document.name}: {name}'


@pytest.mark.long
def test_notebook(tmp_path, monkeypatch):
    monkeypatch.setenv('SB_MM_ITERATIONS', '2')
    monkeypatch.setenv('PYTHONPATH', str(ROOT))
    text = (ROOT / 'docs/bias_maps.ipynb').read_text()
    for number, fewer in (('num_train=800', 'num_train=64'),
                          ('num_val=60', 'num_val=8')):
        assert number in text
        text = text.replace(number, fewer)
    notebook = nbformat.reads(text, as_version=4)
    NotebookClient(
        notebook, timeout=300, kernel_name='python3',
        resources=dict(metadata=dict(path=str(tmp_path)))).execute()
    text = ''.join(
        output.get('text', '') for cell in notebook.cells
        for output in cell.get('outputs', ()))
    assert 'layer1.0' in text and 'picture,label,class,score' in text
    largest = float(re.search(r'took its weights: (\S+)', text)[1])
    assert largest < 1e-4
    pictures = [
        output for cell in notebook.cells for output in cell.get('outputs', ())
        if 'image/png' in output.get('data', {})
    ]
    assert len(pictures) == 4  # the scene and three stages


def test_all_documents_are_found():
    """From the README, by links."""
    seen, todo = set(), [ROOT / 'README.md']
    while todo:
        document = todo.pop().resolve()
        if document in seen:
            continue
        seen.add(document)
        todo += [
            document.parent / target.partition('#')[0]
            for target in re.findall(r'\]\((?!https?:)([^)#]+\.md)',
                                     document.read_text())
        ]
    assert {path.resolve() for path in DOCUMENTS} <= seen | {
        *(ROOT / 'docs').resolve().glob('performance_*.md')
    }
