# The pages in English: the words of the code and of the markup, which falls back to it. CONTRIBUTING.md says how to add a language.
# <name>…</name> is the child element of the markup with that data-l10n-name.

## Names that several messages use

emotion-anger = anger
emotion-disgust = disgust
emotion-fear = fear
emotion-happiness = happiness
emotion-neutral = neutral
emotion-sadness = sadness

# Between the items of a list within a sentence.
list-separator = { ", " }
# A value that is not there.
no-value = –
# A number with one decimal place.
number-megabytes = { NUMBER($number, maximumFractionDigits: 0) } MB
number-tenths = { NUMBER($number, minimumFractionDigits: 1, maximumFractionDigits: 1) }
number-whole = { $number }
number-percent = { NUMBER($share, style: "percent") }
date-time = { DATETIME($time, dateStyle: "medium", timeStyle: "short") }
# Diagnostic text in no particular language, behind what it is about; with the space before it.
bracketed-detail = { " " }({ $detail })

## Both pages

language-label =
    .aria-label = Language
few-contributors = Demonstration: rounds here may publish what fewer than three students contributed. Whoever contributes with one other student can work out what that student's update was.
    .aria-label = Demonstration
problem-reload = Reload the page
problem-dismiss = Dismiss
files-unloaded = Files of this page do not load. It tries again by itself.

## The student's page: markup

student-title = emofed: virtual classroom
student-heading = Virtual classroom
student-unsupported = This browser cannot run the page. It needs WebAssembly with SIMD: a current Chromium, Firefox or Safari.

consent-title = Before you join
consent-intro = This page looks at your camera and names the emotion that your face seems to show. All of that happens <here>in this tab, on this device</here>.
consent-stays = Stays here
consent-stays-what = Every picture, everything computed from it, every label and every prediction. Nobody else sees them, your instructor included.
consent-join = Is sent to join
consent-join-what = The join code. A random token comes back, which goes with what you send later.
consent-contribute = Is sent, only if you choose to contribute
consent-contribute-what = How the weights of a small model changed when it was trained on your clips, and the number of clips. The page lists each sending.
consent-kept = Is kept on this device
consent-kept-what = The models in use; the join code and a random token for this class; an update until it is settled; the list of what was sent, and the last five updates; the language and the appearance that you choose, and that this page was opened before; and, for this tab until it is closed, what you chose here. No picture and no prediction, and no label unless you let clips be kept below. <forget>Forget me</forget> deletes all of it, and ends the token.
deployment-title = Who runs this, and why
deployment-purpose = Purpose
deployment-jurisdiction = Jurisdiction
deployment-legal-basis = Legal basis
deployment-contact = Contact
consent-law = Research software. Inferring emotions in education is prohibited in the European Union outside scientific research and medical or safety use (AI Act, Article 5(1)(f)). What a face shows is not what a person feels.
join-code-label = Join code
join-code-help = It is in the link that your instructor handed out.
backend-summary = Where models run
backend-label = Compute on
backend-auto = whatever is faster (measured)
backend-webgpu = WebGPU
backend-cpu = the CPU
consent-keep-clips = Keep my clips over a reload of this tab
consent-keep-clips-help = Off: clips are in memory only, and a reload loses them. On: what was computed from your face (numbers, not pictures) and the emotions named are kept on this device, encrypted. Turning it off or <forget>Forget me</forget> deletes the key and all of it. Nothing of it is sent.
consent-agree = Agree and join
consent-decline = No, thanks

declined-title = That is fine
declined-text = The class works without it. Nothing was recorded, computed or sent, and your instructor is not told.
declined-back = Back

starting-title = Getting ready
starting-joining = Joining the class …

elsewhere-title = Open in another tab
elsewhere-help = Here the camera is off, and nothing is computed or sent. When the other tab is closed, this one goes on. Clips that the other tab has kept stay there.
elsewhere-take-over = Use this tab instead

tile-title = Camera
camera-on = on
camera-picture =
    .aria-label = Your camera, seen only by you
camera-retry = Try again
pause-key-label = Key P pauses
device-label = Camera

expressions-title = What the models see now
expressions-help = <image></image> this frame (image model) <video></video> this clip (video model). Only you see this.
bar-of-image = { "image model: " }
bar-of-video = { "video model: " }

contribution-title = Contributing
contribute-label = Contribute what the model learns here
metrics-label = Tell how labelling goes here, too
metrics-help = Off unless you turn it on, each session. Then an update also carries three rounded figures: the share of clips that are kept, how evenly emotions are spread over them, and whether the newest model fits your clips better. No label is sent. The class sees the mean of five students or more.
contribute-help = Off unless you turn it on, each session. Only weight changes and the number of clips are sent.
training-label = Training
withheld-send = Send it anyway
collapse-clear = Forget these clips
collapse-overrule = Contribute anyway
ledger-summary = Everything that left this tab (<count></count>)
ledger-help = Every request with a body or a credential, from any visit since you were last forgotten.

clips-title = Clips
clips-counts = <kept></kept> kept to learn from, <held-out></held-out> set aside to check the training, <dropped></dropped> dropped.
keep-clips-label = Keep clips over a reload, encrypted on this device
keep-clips-help = Turning it off deletes what was kept.

about-title = This session
about-backend = Models run on
about-video-training = Video model trained on
about-not-measured = not yet measured
about-memory = Memory
about-speed = Speed
about-frames-per-second = <fps></fps> frames a second
about-video-model = Video model
session-leave = Leave
session-forget = Forget me

left-title = You have left
left-rejoin = Join again

forget-title = Forget me?
forget-text = This deletes the models, the token, the list of what was sent and any update that was not sent, and kept clips with their key, from this device, ends the token at the aggregator, and ends the session, in all tabs of this browser. Updates that were sent cannot be taken out of a model they are already part of.
forget-keep = Keep

## The student's page: the camera

camera-not-allowed = The browser may not use the camera. Allow it for this page (the camera sign near the address), then try again.
camera-not-found = There is no camera. Connect one, then try again.
camera-in-use = Another program uses the camera. Close it there, then try again.
camera-unavailable = This browser gives no camera to this page. Use a current browser, and the address that your instructor handed out.
camera-lost = The camera was unplugged, or another program took it.
camera-unnamed = Camera { $number }
camera-pause = Pause camera
camera-resume = Resume camera
camera-pause-key = Pause camera (P)
camera-resume-key = Resume camera (P)

face-looking = Looking for a face …
face-none = No face. Move into the picture.
face-one = Your face is in the picture.
face-several = Several faces: the largest is used.
face-dark = It is too dark to see anything. Turn on a light, or uncover the camera.
face-too-slow = Your face is in the picture, but too few frames a second are looked at: no clips come of it.
face-too-small = Your face is too small in the picture for clips. Move closer.
face-cut = Too much of your face is outside of the picture for clips. Move to the middle.
face-turned = Your face is turned too far for clips. Look towards the camera.
face-too-dark = Your face is too dark for clips. Turn on a light.
face-too-bright = Your face is too bright for clips. Turn the light down.
face-low-contrast = Your face has too little contrast for clips. Change the light.
face-blurred = Your face is blurred: no clips come of it. Hold still, or clean the lens.
face-camera-off = The camera is off.
face-muted = The camera gives no picture: its switch or cover, or another program, holds it back. It goes on by itself.
face-frozen = The camera's picture stands still. If it stays so, choose another camera, or pause and resume.

## The student's page: clips and updates

clip-kept = { $label } ({ NUMBER($confidence, style: "percent") }), kept; { $frames } frames; the video model says { $predicted }
clip-held-out = { $label } ({ NUMBER($confidence, style: "percent") }), set aside to check the training; { $frames } frames; the video model says { $predicted }
clip-low-confidence = { $label } ({ NUMBER($confidence, style: "percent") }), dropped; { $frames } frames; the video model says { $predicted }
clip-disagreement = { $label } ({ NUMBER($confidence, style: "percent") }), dropped, since the models disagree; { $frames } frames; the video model says { $predicted }
clip-too-short = { $label } ({ NUMBER($confidence, style: "percent") }), dropped, since it is too short; { $frames } frames; the video model says { $predicted }

drops-clips = Dropped clips: { $reasons }.
drops-frames = Frames not used: { $reasons }.
drop-low-confidence = no emotion was clear enough ({ $count })
drop-disagreement = the models disagreed ({ $count })
drop-too-short = too few good frames ({ $count })
drop-face-too-small = face too small ({ $count })
drop-face-cut = face cut off ({ $count })
drop-face-turned = face turned ({ $count })
drop-too-dark = too dark ({ $count })
drop-too-bright = too bright ({ $count })
drop-low-contrast = too little contrast ({ $count })
drop-blurred = blurred ({ $count })

label-health = Last { $clips } clips: { NUMBER($accepted, style: "percent") } clear enough to learn from, { NUMBER($confidence, style: "percent") } sure on average, balance of emotions { NUMBER($balance, style: "percent") }.
label-collapse = Contributing is paused: { NUMBER($share, style: "percent") } of your recent clips are labelled { $emotion }. A model that learns from them forgets the other emotions. It goes on by itself when the labels differ more.

round-open = Round { $round } is open: { $received } of { $needed } updates are in. Yours needs { $clips } kept clips.
round-none = No round is open.
training-progress = Training on { $clips } clips: step { $step } of { $steps }, loss { NUMBER($loss, minimumFractionDigits: 3, maximumFractionDigits: 3) }
training-paused-hidden = Training is paused while this tab is hidden. It goes on by itself.
training-paused-battery = Training is paused: the battery is low. It goes on by itself when it is charged.

kept-clips-back = Back from before: { $training } clips to learn from, { $held_out } set aside.
kept-clips-no-encryption = Your clips: this browser cannot encrypt them, so none are kept over a reload.
kept-clips-storage-full = Your clips: the browser stores no more, so they are not kept over a reload.
kept-clips-undecryptable = Your clips: those of before cannot be decrypted any more, and are deleted.
kept-clips-malformed = Your clips: those of before cannot be read any more, and are deleted.
kept-clips-schema = Your clips: those of before were written by another version, and are deleted.
kept-clips-other-participant = Your clips: those of before were another participant's, and are deleted.
kept-clips-other-backbone = Your clips: those of before are of another image model, and are deleted.

update-sending = Sending the update for round { $round } ({ NUMBER($kilobytes, maximumFractionDigits: 0) } kB) …
update-acknowledged = Your update for round { $round } is in ({ NUMBER($kilobytes, maximumFractionDigits: 0) } kB, { $clips } clips).
update-refused = The update for round { $round } was not accepted: { $reason }
update-withheld = Your update for round { $round } is not sent: on the { $clips } clips set aside it makes the model worse (loss { NUMBER($after, minimumFractionDigits: 4, maximumFractionDigits: 4) } instead of { NUMBER($before, minimumFractionDigits: 4, maximumFractionDigits: 4) }).
update-withdrawn = Contributing is off: the update for round { $round } was not sent, and is deleted.
update-withdrawn-late = Contributing is off: the update for round { $round } is deleted here, but may have arrived before.

## The student's page: what left the tab

ledger-empty = Nothing yet.
ledger-one = One request, { $bytes } bytes.
ledger-totals = { $requests } requests, { $bytes } bytes in all.
ledger-totals-newest = { $requests } requests, { $bytes } bytes in all. The newest { $shown } are listed.
ledger-entry = { DATETIME($time, dateStyle: "medium", timeStyle: "short") }: { $payload }; { $request }, { $bytes } bytes. { $outcome }.
ledger-join-code = the join code
ledger-token = the token
ledger-update = the update for round { $round } and its count of { $clips } clips
ledger-update-metrics = the update for round { $round }, its count of { $clips } clips and figures of your labelling
ledger-under-way = No answer yet
ledger-acknowledged = Acknowledged
ledger-refused = Refused with status { $status }
ledger-no-answer = No answer came: it may have arrived
ledger-aborted = Broken off: it may have arrived

## Where models run

backend-report = { $place }: { $reason }. One frame takes { NUMBER($ms, maximumFractionDigits: 0) } ms.
video-model-report = { $place }: { $reason }.
place-webgpu = WebGPU
place-webgpu-adapter = WebGPU ({ $adapter })
place-cpu = the CPU
place-cpu-simd = the CPU, with SIMD
place-cpu-cores = the CPU, with SIMD on { $cores } cores
backend-chosen-webgpu = WebGPU was chosen
backend-chosen-cpu = the CPU was chosen
backend-no-webgpu = this browser has no WebGPU
backend-no-adapter = WebGPU finds no adapter
backend-limits = the limits of the adapter are below WebGPU's defaults
backend-limits-named = the limits of the adapter { $adapter } are below WebGPU's defaults
backend-software = the adapter is software
backend-software-named = the adapter { $adapter } is software
backend-measured-webgpu = WebGPU is faster: { NUMBER($webgpu, maximumFractionDigits: 0) } ms a frame on WebGPU, { NUMBER($cpu, maximumFractionDigits: 0) } ms on the CPU
backend-measured-cpu = the CPU is faster: { NUMBER($webgpu, maximumFractionDigits: 0) } ms a frame on WebGPU, { NUMBER($cpu, maximumFractionDigits: 0) } ms on the CPU
backend-load-failed = the backbone does not load on WebGPU: { $failure }
backend-webgpu-lost = WebGPU was lost ({ $failure }), and the CPU has taken over
video-no-webgpu = the backbone does not run on WebGPU
video-measured = { NUMBER($webgpu, maximumFractionDigits: 0) } ms a training step on WebGPU, { NUMBER($cpu, maximumFractionDigits: 0) } ms on the CPU
video-deviates = WebGPU computes wrong here
video-deviates-by = WebGPU computes wrong here, by up to { NUMBER($deviation, style: "percent", minimumFractionDigits: 1, maximumFractionDigits: 1) }
video-architecture = its architecture runs beside the backbone
video-failed = WebGPU failed ({ $failure })
failure-script = its script does not load
failure-stopped = its worker stopped{ $detail }
failure-silent = no answer for { $seconds } s
failure-device-lost = its device is gone{ $detail }
failure-failed = its worker failed{ $detail }

## Problems of the session

way-reload = Reload the page; if that does not help, tell your instructor.
way-reload-on = Reload the page to go on.
way-other-link = Ask your instructor for the link of another one.
way-reload-fits = Reload the page to get the version that fits.
way-reload-newest = Reload the page to get its newest version; if that does not help, tell your instructor.
way-keeps-trying = The page keeps trying by itself.
way-retries-in = The page tries again by itself, in { $seconds } s.
way-leave-private = Leave private browsing if you want to go on after a reload.
way-check-connection = Check the connection, then reload the page; if it stays, tell your instructor.
way-close-tabs = Close other tabs to free memory, then reload the page.
way-pause = Pause and resume the camera.
way-pause-or-choose = Pause and resume the camera, or choose another one.
way-check-code = Check the code with your instructor and enter it again.
way-join-again = Reload the page and join again.
way-tell-instructor = Tell your instructor. The page keeps trying by itself.
way-current-browser = Use a current browser.
way-clear-data = Clear this site's data in the browser's settings.

problem-storage = This browser keeps nothing on the device, so a reload starts over.
problem-panicked = The session worker stopped{ $detail }.
problem-unreachable = The aggregator does not answer{ $detail }.
problem-timed-out = The aggregator did not answer within { $seconds } s.
problem-malformed = The aggregator's answer is not understood{ $detail }.
problem-ended = This class has ended.
problem-protocol = The aggregator speaks version { $aggregator } of the protocol, this page version { $page }.
problem-altered-backbone = The file with the weights of the backbone arrived altered, twice.
problem-altered-detector = The file with the weights of the face detector arrived altered, twice.
problem-altered-vfer = The file with the weights of the video model arrived altered, twice.
problem-weights = The weights do not fit{ $detail }.
problem-model = A model failed{ $detail }.
problem-training = Training failed{ $detail }.
problem-backbone = The backbone cannot be run: { $failure }.
problem-extractor = The program that runs the models does not load: { $failure }.
problem-video-model = The video model cannot be run: { $failure }.
problem-architecture = This page cannot run the federation's video model{ $detail }.
problem-frame = The camera's picture cannot be read{ $detail }.
problem-frames = The camera's pictures cannot be read{ $detail }.
problem-frame-small = The camera's picture is only { $width } × { $height } pixels, and { $minimum } each way are needed.
problem-no-workers = This browser starts no worker for the page.
problem-stopped-twice = The models stopped twice ({ $failure }).
problem-not-loaded = The program that runs the models does not load ({ $failure }).
problem-not-deleted = The browser would not delete what this page has stored on the device.

refusal-join-code = No class has this code.
refusal-unauthorized = The aggregator does not know this participant, or no longer.
refusal-stale = A newer model was published meanwhile.
refusal-no-round = The round takes no updates any more.
refusal-received = Another update of this participant already counts in this round.
refusal-too-large = The update is larger than any update of this model.
refusal-bad-update = The update is not one of this model, or is too large a change.
refusal-bad-update-at = The update is not one of this model, or is too large a change (at { $tensor }).
refusal-bad-request = The aggregator does not understand what this page asks.
refusal-rate = Too many requests came from here.
refusal-rate-wait = Too many requests came from here; the aggregator asks to wait { $seconds } s.
refusal-not-found = The aggregator does not have what this page asks for.
refusal-conflict = The aggregator cannot do this now: the class may be full.
refusal-storage = The aggregator cannot store anything at the moment.
refusal-damaged = A file is damaged on the aggregator's disk.
refusal-internal = The aggregator failed.

## Joining, leaving, other tabs, the connection

loading-backbone = Loading the backbone ({ NUMBER($megabytes, minimumFractionDigits: 1, maximumFractionDigits: 1) } MB) …
loading-detector = Loading the face detector ({ NUMBER($megabytes, minimumFractionDigits: 1, maximumFractionDigits: 1) } MB) …
loading-vfer = Loading the video model ({ NUMBER($megabytes, minimumFractionDigits: 1, maximumFractionDigits: 1) } MB) …
connection-offline = The aggregator does not answer. What runs here goes on, and nothing is lost.
# Behind connection-offline, with the space before it.
connection-retry = { " " }Trying again in { $seconds } s.
tab-follows = Another tab of this browser is in the class, with the camera and the models.
tab-waits = Waiting for the other tab to finish what it sends …
tab-hands-over = This tab is handing over to another one …
tab-nothing-left = The other tab is closed and has left nothing on this device: it had not joined yet, or you wanted to be forgotten there. So this tab asks you again.
ended-left = The camera is off. Nothing more is computed or sent.
ended-follower = Nothing is computed or sent in this tab.
ended-elsewhere = You wanted to be forgotten, in another tab. Nothing is computed or sent here any more.
ended-deleted = Everything this page had stored on the device is deleted, and the camera is off.
# Behind ended-deleted or ended-left, with the space before it.
token-ended = { " " }The aggregator has ended this participant's token.
token-lost = { " " }The aggregator did not answer, and still has this participant's token; nobody can use it any more.

## The global model

model-version = Model { $version }
model-bootstrap = Version { $version }, a start distilled from the image model: not yet a result
model-synthetic = Version { $version }, trained on made-up clips: not yet a result
model-trained-on = Version { $version }, trained on people's votes on { $clips } faces or clips ({ $dataset })
model-trained = Version { $version }, trained on labelled clips
model-unknown = Version { $version }
# $parent and $round are model-from-version and model-in-round, or empty.
model-federated = Version { $version }, made{ $parent }{ $round } by { $clients } students
model-federated-clips = Version { $version }, made{ $parent }{ $round } by { $clients } students with { $clips } clips
model-from-version = { " " }from version { $version }
model-in-round = { " " }in round { $round }
# Behind one of these.
model-personal = . What is shown here is by a head of your own, from your last { $clips } clips; it never leaves this tab
origin-bootstrap = bootstrap (a start, not a result)
origin-synthetic = trained on synthetic clips
origin-trained-on = trained on { $dataset }
origin-trained = trained
origin-restored = restored
origin-round = round { $round }
model-clips-untold = not told
model-held-out = { NUMBER($before, minimumFractionDigits: 3, maximumFractionDigits: 3) } → { NUMBER($after, minimumFractionDigits: 3, maximumFractionDigits: 3) }

## The instructor's page: markup

desk-title = emofed: instructor
desk-heading = Instructor
desk-unsupported = This browser cannot run the page. It needs WebAssembly: a current Chromium, Firefox or Safari.
sign-in-title = Instructor's token
sign-in-help = It is in the link that the aggregator printed when it started.
sign-in-token = Token
sign-in-go = Go on
invite-title = Invite students
invite-code = Hand out this link. The code in it is <code></code>.
invite-link =
    .aria-label = Link for students
invite-renew = Make a new code
invite-help = You will see how many tabs are connected and how many contributed. Nothing here, or anywhere on this machine, tells what a student's camera saw or what the models said of it. Students may let three rounded figures of their labelling go with an update; you see the mean of five or more.
round-title = Round
round-connected = Tabs in view
round-participants = Ever joined
round-open-button = Open a round
round-close-button = Close it now
settings-title = Settings
settings-minimum = Updates that a round needs at least
settings-target = Close a round when so many updates are in
settings-duration = End a round after minutes
settings-continuous = Open the next round by itself
settings-save = Save
settings-help = Takes effect with the next round.
participants-title = Participants
participants-summary = Random ids, which the aggregator's log names when it refuses an update
participants-table =
    .aria-label = Table of participants
column-id = Id
column-joined = Joined
column-action = Action
models-title = Global models
models-table =
    .aria-label = Table of models
column-version = Version
column-parent = Made from
column-origin = Origin
column-clients = Clients
column-clips = Clips
column-held-out = Held-out macro F1
column-published = Published
rounds-title = Rounds
rounds-table =
    .aria-label = Table of rounds
column-round = Round
column-base = On version
column-updates = Updates
column-opened = Opened
column-state = State
confirm-yes = Yes
confirm-no = No

## The instructor's page: the code's

desk-federation = { $federation }: instructor
desk-unauthorized-way = Open the instructor's link that the aggregator printed when it started.
desk-nothing-changed = Nothing was changed.
desk-no-answer = The aggregator does not answer.
desk-no-answer-way = Start the aggregator again; this page goes on by itself.
desk-offline = The aggregator does not answer. This page keeps trying.
desk-joining-ends = Students can join with it until { DATETIME($time, dateStyle: "medium", timeStyle: "short") }.
desk-round = Round { $round } is open on version { $version }: { $received } of { $needed } updates are in. It ends at { DATETIME($deadline, dateStyle: "medium", timeStyle: "short") } at the latest.
ask-close = Close round { $round } now? The updates that are in are averaged and published.
ask-restore = Make version { $version } the global model again? Every tab switches to it; an open round is abandoned.
ask-renew = Make a new join code? The old one and its links let nobody join any more; who has joined stays.
ask-revoke = Revoke participant { $id }? Its tab can send nothing more unless it joins again with the join code.
desk-restore = Roll back to version { $version }
desk-current = current
desk-revoke = Revoke { $id }
desk-copy = Copy
desk-copied = Copied
desk-saved = Saved.
phase-open = open
phase-aggregating = aggregating
phase-evaluating = evaluating
phase-published = published as version { $version }
phase-rejected = rejected: { $reason }
phase-abandoned = abandoned
phase-abandoned-few = abandoned: { $found } of the { $needed } updates that it needed
phase-abandoned-strategy = abandoned: { $found } of the { $needed } updates that the strategy { $strategy } needs
phase-abandoned-worse = abandoned: for most of { $clients } students who tell, version { $version } made the loss on their own clips higher by more than { $limit }; version { $restored } was published again
phase-abandoned-replaced = abandoned: another model became the global model
phase-unknown = reload the page to see
rejected-layout = the aggregate does not fit the model
rejected-not-finite = the aggregate has values that are not numbers
rejected-norm = the model would move by { NUMBER($found, minimumFractionDigits: 3, maximumFractionDigits: 3) }, more than { NUMBER($limit, minimumFractionDigits: 3, maximumFractionDigits: 3) }
rejected-macro-f1 = macro F1 on the held-out clips of { $dataset } would fall from { NUMBER($before, minimumFractionDigits: 3, maximumFractionDigits: 3) } to { NUMBER($found, minimumFractionDigits: 3, maximumFractionDigits: 3) }, by more than { NUMBER($tolerance, minimumFractionDigits: 3, maximumFractionDigits: 3) }
rejected-loss = the model fails on the held-out clips of { $dataset }
rejected-damaged = what was stored of it is damaged; the aggregator's log says what
rejected-unspecified = by an earlier version of the aggregator, whose log says why
rejected-unknown = reload the page to see why

## The instructor's page: round, invitation, lecture, versions, log and report

round-model = Global model
meter-updates = Updates received
meter-time = Time left
invite-show = Show to the class
statement-summary = Statement that students see before they join
statement-missing = There is none: this aggregator may serve this machine only. Write into its configuration and start it again:
stage-title = Lecture
stage-kind-label = What students see beside their own camera
stage-kind-none = nothing
stage-kind-video = a video
stage-kind-document = a PDF document
stage-kind-pictures = pictures, one at a time
stage-kind-page = another page, such as a meeting
stage-address-label = Address
stage-addresses-label = Addresses, one in each line
stage-files =
    .aria-label = Files of the lecture folder
stage-put = Put on the stage
stage-hint = Nothing may be shown yet: the configuration names no folder of lecture files, and no origin whose pages may be shown.
log-title = What happened
log-empty = Nothing since this page was opened.
report-button = Download the session's report
report-help = One file to keep or to print: federation, settings, rounds, models and this list. There is no participant and no individual result in it.
lineage =
    .aria-label = Lineage of the versions; choose one with the arrow keys
figure-macro-f1 = Held-out macro F1
figure-acceptance = Clips kept in the class
figure-balance = Evenness of emotions in the class
figure-loss = Held-out loss
figure-cursor-f1 =
    .aria-label = Version, in the chart of macro F1
figure-cursor-acceptance =
    .aria-label = Version, in the chart of clips kept
figure-cursor-balance =
    .aria-label = Version, in the chart of evenness
figure-cursor-loss =
    .aria-label = Version, in the chart of the loss
column-loss = Held-out loss
settings-minimum-help = A round with fewer at its end is abandoned, and students keep their clips for the next one. More updates hide each one better. Three is the floor: of two, each could work out the other's.
settings-target-help = Fewer than there are students, so that nobody has to wait for the slowest; who is later keeps their clips for the next round. While fewer are in, the round goes on until its end. Never below the number above.
settings-duration-help = A round that has too few updates by then is abandoned: the model stays as it is.
settings-continuous-help = Off: the model changes only when you open a round.
class-close = Close
class-code = Join code
round-stands = Round { $round }: { $phase }.
round-received = { $received } of { $needed }
round-countdown = { NUMBER($minutes, minimumIntegerDigits: 2) }:{ NUMBER($seconds, minimumIntegerDigits: 2) }
round-countdown-hours = { $hours }:{ NUMBER($minutes, minimumIntegerDigits: 2) }:{ NUMBER($seconds, minimumIntegerDigits: 2) }
round-too-few = It can be closed early once { $needed } updates are in.
qr-code = QR code of the link for students: { $link }
stage-now = On the stage: { $lecture }.
stage-is-video = the video { $address }
stage-is-document = the document { $address }
stage-is-page = the page { $address }
stage-is-pictures = pictures ({ $count })
stage-help-files = Files of the lecture folder are lecture/NAME.
stage-help-both = Files of the lecture folder are lecture/NAME; whole addresses may be of { $origins }.
stage-help-origins = A whole address, of { $origins }.
stage-address-missing = Write an address, or choose a file.
settings-out-of-range = Write a whole number from { $least } to { $most }.
version-described = Version { $version } ({ $origin }), published { DATETIME($time, dateStyle: "medium", timeStyle: "short") }.
version-restored = Version { $version } repeats version { $restored }, since { DATETIME($time, dateStyle: "medium", timeStyle: "short") }.
version-figures = { " " }On { $clips } held-out clips of { $dataset }: macro F1 { NUMBER($f1before, minimumFractionDigits: 3, maximumFractionDigits: 3) } → { NUMBER($f1after, minimumFractionDigits: 3, maximumFractionDigits: 3) }, loss { NUMBER($lossbefore, minimumFractionDigits: 3, maximumFractionDigits: 3) } → { NUMBER($lossafter, minimumFractionDigits: 3, maximumFractionDigits: 3) }.
version-metrics = { " " }Of { $clients } students who told: { NUMBER($accepted, style: "percent") } of clips kept, evenness of emotions { NUMBER($balance, maximumFractionDigits: 2) }.
version-metrics-change = { " " }On their own clips, version { $parent } had changed the loss by { NUMBER($change, maximumFractionDigits: 2) }.
version-current = { " " }It is the global model now.
figure-short = { NUMBER($value, minimumFractionDigits: 3, maximumFractionDigits: 3) }
# Within a chart, which runs from the left to the right in every language.
figure-f1-change = { NUMBER($before, minimumFractionDigits: 2, maximumFractionDigits: 2) } → { NUMBER($after, minimumFractionDigits: 2, maximumFractionDigits: 2) }
figure-change = { NUMBER($before, minimumFractionDigits: 3, maximumFractionDigits: 3) } → { NUMBER($after, minimumFractionDigits: 3, maximumFractionDigits: 3) }
log-round-opened = Round { $round } opened on version { $version }.
log-updates = Round { $round }: { $received } updates are in.
log-updates-of = Round { $round }: { $received } of { $needed } updates are in.
log-closed = Round { $round } closed.
log-closed-complete = Round { $round } closed: all updates that it waited for are in.
log-closed-instructor = Round { $round } closed by the instructor.
log-closed-deadline = Round { $round } closed: its time is over.
log-published = Version { $version } is published.
log-rolled-back = Rolled back to version { $restored }, as version { $version }.
log-code = There is a new join code.
log-settings = The settings have changed.
log-revoked = A participant was revoked.
report-title = { $federation }: report of the session
report-made = Made { DATETIME($time, dateStyle: "medium", timeStyle: "short") }. No individual result and no participant is in this report: the aggregator has none.

## The student's page: the stage, the tile and the panel

lecture-title = Lecture
lecture-open = Open in a tab of its own
lecture-full-screen = Full screen
lecture-video =
    .aria-label = Video of the lecture
lecture-document =
    .title = Document of the lecture
lecture-page =
    .title = Page of the lecture
lecture-not-loaded = The lecture does not load. Ask your instructor; the rest of this page works without it.
picture-previous = Back
picture-next = Next
picture-count = Picture { $number } of { $count }
preview-start = Try the camera
preview-stop = Turn the camera off
preview-help = Only a picture for you: nothing is computed from it before you join.
tile-fold = Fold away
tile-unfold = Show
panel-toggle = Models and privacy
panel-title = Models and privacy
panel-close = Close

## The student's page: the timeline

timeline-title = Your timeline
timeline-help = What the models said in this session. It is in this page's memory alone: nobody else sees it, and it is gone when the page closes.
timeline-model = Model
timeline-image = image model, by frame
timeline-video = video model, by clip
timeline-window = Time shown
timeline-2-minutes = the last 2 minutes
timeline-15-minutes = the last 15 minutes
timeline-all = the whole session
timeline-empty = Nothing yet: it begins with the first face.
timeline-cursor =
    .aria-label = Point in time
timeline-table = As a table
timeline-table-region =
    .aria-label = Table of the timeline
timeline-time = Time
timeline-record = Keep a timeline
timeline-export = Export as CSV
timeline-clear = Clear
clock-time = { DATETIME($time, timeStyle: "medium") }
timeline-read-out = { $time }: { $emotions }. { $clip }
timeline-no-face = { $time }: no face. { $clip }
timeline-emotion = { $emotion } { $share }
timeline-clip-kept = Clip: { $label }.
timeline-clip-dropped = Clip: { $label }, dropped.
timeline-clip-struck-out = Clip: { $label }, struck out.

## The student's page: clips that the student edits, settings, the round's time

clips-help = The labels are what the image model says. Before a clip is learned from you can correct its label or strike it out.
clip-label =
    .aria-label = Label of this clip
clip-strike-out = Strike out
clip-corrected = Corrected to { $label }.
clip-struck-out = Struck out: it is not used.
clip-not-edited = Too late: this clip is in an update that was sent, or is gone.
label-counts = Kept by label: { $counts }.
label-count = { $label } { $count }
settings-title = Settings
frame-rate-label = Frames a second
frame-rate-class = as the class asks
frame-rate-5 = at most 5
frame-rate-2 = at most 2
theme-label = Appearance
theme-device = as on this device
theme-light = light
theme-dark = dark
theme-contrast = high contrast
round-ends-soon = The round ends in less than a minute.
round-time-left = { $minutes ->
        [one] The round ends in { $minutes } minute.
       *[other] The round ends in { $minutes } minutes.
    }
training-time-left = { $seconds ->
        [one] About { $seconds } second left.
       *[other] About { $seconds } seconds left.
    }
effect-better = Version { $version } fits your { $clips } set-aside clips better than the one before: loss { NUMBER($before, maximumFractionDigits: 3) } → { NUMBER($after, maximumFractionDigits: 3) }.
effect-worse = Version { $version } fits your { $clips } set-aside clips worse than the one before: loss { NUMBER($before, maximumFractionDigits: 3) } → { NUMBER($after, maximumFractionDigits: 3) }.
ledger-look-inside = What was in it
ledger-download = Download it as it was sent
ledger-no-body = It is not kept any more: only the newest five are.
ledger-tensor-figures = { $name }, { $shape }: norm { NUMBER($norm, maximumSignificantDigits: 3) }, largest { NUMBER($largest, maximumSignificantDigits: 3) }
ledger-metrics = Figures of your labelling: { NUMBER($accepted, style: "percent") } of clips kept, evenness of emotions { NUMBER($balance, maximumFractionDigits: 2) }
ledger-metrics-change = Figures of your labelling: { NUMBER($accepted, style: "percent") } of clips kept, evenness of emotions { NUMBER($balance, maximumFractionDigits: 2) }, change of loss { NUMBER($change, maximumFractionDigits: 2) }
ledger-histogram =
    .aria-label = Histogram of its values, from the most negative to the most positive
