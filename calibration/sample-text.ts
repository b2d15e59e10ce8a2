/**
 * Some four thousand characters of English, for comparisons where nobody names a text: the beginning of
 * George Washington's address to Congress of 6 November 1792 (a work of the United States government) and of
 * chapter 127 of Herman Melville's Moby-Dick (1851). Both are in the public domain;
 * fixtures/text/calibration.txt holds more.
 */
export const SAMPLE_TEXT = `Fellow-Citizens of the Senate and House of Representatives: It is some abatement of the satisfaction with \
which I meet you on the present occasion that, in felicitating you on a continuance of the national \
prosperity generally, I am not able to add to it information that the Indian hostilities which have for \
some time past distressed our Northwestern frontier have terminated. You will, I am persuaded, learn with \
no less concern than I communicate it that reiterated endeavors toward effecting a pacification have \
hitherto issued only in new and outrageous proofs of persevering hostility on the part of the tribes with \
whom we are in contest. An earnest desire to procure tranquillity to the frontier, to stop the further \
effusion of blood, to arrest the progress of expense, to forward the prevalent wish of the nation for \
peace has led to strenuous efforts through various channels to accomplish these desirable purposes; in \
making which efforts I consulted less my own anticipations of the event, or the scruples which some \
considerations were calculated to inspire, than the wish to find the object attainable, or if not \
attainable, to ascertain unequivocally that such is the case. A detail of the measures which have been \
pursued and of their consequences, which will be laid before you, while it will confirm to you the want of \
success thus far, will, I trust, evince that means as proper and as efficacious as could have been devised \
have been employed. The issue of some of them, indeed, is still depending, but a favorable one, though not \
to be despaired of, is not promised by anything that has yet happened. In the course of the attempts which \
have been made some valuable citizens have fallen victims to their zeal for the public service. A sanction \
commonly respected even among savages has been found in this instance insufficient to protect from \
massacre the emissaries of peace. It will, I presume, be duly considered whether the occasion does not \
call for an exercise of liberality toward the families of the deceased.

The coffin laid upon two line-tubs, between the vice-bench and the open hatchway; the Carpenter caulking \
its seams; the string of twisted oakum slowly unwinding from a large roll of it placed in the bosom of his \
frock.—Ahab comes slowly from the cabin-gangway, and hears Pip following him.

"Back, lad; I will be with ye again presently. He goes! Not this hand complies with my humor more genially \
than that boy.—Middle aisle of a church! What's here?"

"Life-buoy, sir. Mr. Starbuck's orders. Oh, look, sir! Beware the hatchway!"

"Thank ye, man. Thy coffin lies handy to the vault."

"Sir? The hatchway? oh! So it does, sir, so it does."

"Art not thou the leg-maker? Look, did not this stump come from thy shop?"

"I believe it did, sir; does the ferrule stand, sir?"

"Well enough. But art thou not also the undertaker?"

"Aye, sir; I patched up this thing here as a coffin for Queequeg; but they've set me now to turning it \
into something else."

"Then tell me; art thou not an arrant, all-grasping, intermeddling, monopolising, heathenish old scamp, to \
be one day making legs, and the next day coffins to clap them in, and yet again life-buoys out of those \
same coffins? Thou art as unprincipled as the gods, and as much of a jack-of-all-trades."

"But I do not mean anything, sir. I do as I do."

"The gods again. Hark ye, dost thou not ever sing working about a coffin? The Titans, they say, hummed \
snatches when chipping out the craters for volcanoes; and the grave-digger in the play sings, spade in \
hand. Dost thou never?"

"Sing, sir? Do I sing? Oh, I'm indifferent enough, sir, for that; but the reason why the grave-digger made \
music must have been because there was none in his spade, sir. But the caulking mallet is full of it. Hark \
to it."

"Aye, and that's because the lid there's a sounding-board; and what in all things makes the sounding-board \
is this—there's naught beneath. And yet, a coffin with a body in it rings pretty much the same, Carpenter. \
Hast thou ever helped carry a bier, and heard the coffin knock against the churchyard gate, going in?

"Faith, sir, I've—"

"Faith? What's that?"
`;
