"""A second set of reference vectors, made with ``transformers`` in the layout of the published one.

``python -m tests.golden_sets.make FOLDER --seed 3`` writes one; sizes and values follow from the seed. The tests marked
``golden`` run on the published set and on a second one (seed: ``GENOLM_GOLDEN_SEED``).

Made a second time: Mixtral, Mistral, ModernBERT, BERT with norms after its blocks, and stock BigBird. ``transformers``
lacks the other networks, of which there is no second set: GENA's BERT with norms before its blocks, its DeepSpeed
patterns, recurrent memory and Gengram; nor of the ids of the published vocabularies, which are files of GENA-LM.
"""
