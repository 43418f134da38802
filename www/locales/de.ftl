# Die Seiten auf Deutsch. CONTRIBUTING.md sagt, wie eine Sprache dazukommt.
# Fachwörter: Runde, Clip, Modell, Gewichte, Aggregator, Beitrittscode, Token, Frame.

## Names that several messages use

emotion-anger = Wut
emotion-disgust = Ekel
emotion-fear = Angst
emotion-happiness = Freude
emotion-neutral = neutral
emotion-sadness = Traurigkeit

list-separator = { ", " }
no-value = –
number-megabytes = { NUMBER($number, maximumFractionDigits: 0) } MB
number-tenths = { NUMBER($number, minimumFractionDigits: 1, maximumFractionDigits: 1) }
number-whole = { $number }
number-percent = { NUMBER($share, style: "percent") }
date-time = { DATETIME($time, dateStyle: "medium", timeStyle: "short") }
bracketed-detail = { " " }({ $detail })

## Both pages

language-label =
    .aria-label = Sprache
few-contributors = Vorführung: Runden können hier etwas veröffentlichen, zu dem weniger als drei Lernende beigetragen haben. Wer mit nur einer anderen Person beiträgt, kann deren Update ausrechnen.
    .aria-label = Vorführung
problem-reload = Seite neu laden
problem-dismiss = Ausblenden
files-unloaded = Dateien dieser Seite laden nicht. Sie versucht es von selbst noch einmal.

## The student's page: markup

student-title = emofed: virtuelles Klassenzimmer
student-heading = Virtuelles Klassenzimmer
student-unsupported = Dieser Browser kann die Seite nicht ausführen. Sie braucht WebAssembly mit SIMD: ein aktuelles Chromium, Firefox oder Safari.

consent-title = Bevor du beitrittst
consent-intro = Diese Seite sieht sich das Bild deiner Kamera an und nennt die Emotion, die dein Gesicht zu zeigen scheint. All das geschieht <here>in diesem Tab, auf diesem Gerät</here>.
consent-stays = Bleibt hier
consent-stays-what = Jedes Bild, alles, was daraus berechnet wird, jedes Label und jede Vorhersage. Niemand sonst sieht sie, auch deine Lehrkraft nicht.
consent-join = Wird beim Beitritt gesendet
consent-join-what = Der Beitrittscode. Zurück kommt ein zufälliges Token, das mit allem mitgeht, was du später sendest.
consent-contribute = Wird nur gesendet, wenn du beitragen willst
consent-contribute-what = Wie sich die Gewichte eines kleinen Modells geändert haben, als es mit deinen Clips trainiert wurde, und die Zahl der Clips. Die Seite führt jede Sendung auf.
consent-kept = Wird auf diesem Gerät gespeichert
consent-kept-what = Die verwendeten Modelle; der Beitrittscode und ein zufälliges Token für diese Klasse; ein Update, bis es erledigt ist; die Liste des Gesendeten und die letzten fünf Updates; die Sprache und die Darstellung, die du wählst, und dass diese Seite schon einmal offen war; und, für diesen Tab, bis er geschlossen wird, was du hier gewählt hast. Kein Bild und keine Vorhersage, und kein Label, außer du lässt unten Clips aufheben. <forget>Vergiss mich</forget> löscht all das und beendet das Token.
deployment-title = Wer das betreibt, und warum
deployment-purpose = Zweck
deployment-jurisdiction = Rechtsraum
deployment-legal-basis = Rechtsgrundlage
deployment-contact = Kontakt
consent-law = Forschungssoftware. In der Europäischen Union ist es verboten, im Bildungsbereich Emotionen abzuleiten, außer in der wissenschaftlichen Forschung und aus medizinischen oder Sicherheitsgründen (KI-Verordnung, Artikel 5 Absatz 1 Buchstabe f). Was ein Gesicht zeigt, ist nicht, was ein Mensch fühlt.
join-code-label = Beitrittscode
join-code-help = Er steht in dem Link, den deine Lehrkraft ausgegeben hat.
backend-summary = Wo die Modelle laufen
backend-label = Rechnen auf
backend-auto = dem Schnelleren (gemessen)
backend-webgpu = WebGPU
backend-cpu = der CPU
consent-keep-clips = Meine Clips über das Neuladen dieses Tabs hinweg aufheben
consent-keep-clips-help = Aus: Clips sind nur im Arbeitsspeicher und gehen beim Neuladen verloren. An: Was aus deinem Gesicht berechnet wurde (Zahlen, keine Bilder), und die genannten Emotionen werden verschlüsselt auf diesem Gerät aufgehoben. Ausschalten oder <forget>Vergiss mich</forget> löscht den Schlüssel und alles davon. Nichts davon wird gesendet.
consent-agree = Zustimmen und beitreten
consent-decline = Nein, danke

declined-title = Das ist in Ordnung
declined-text = Der Unterricht geht auch ohne. Nichts wurde aufgenommen, berechnet oder gesendet, und deine Lehrkraft erfährt es nicht.
declined-back = Zurück

starting-title = Wird vorbereitet
starting-joining = Trete der Klasse bei …

elsewhere-title = In einem anderen Tab geöffnet
elsewhere-help = Hier ist die Kamera aus, und nichts wird berechnet oder gesendet. Wenn der andere Tab geschlossen wird, macht dieser weiter. Clips, die der andere Tab behalten hat, bleiben dort.
elsewhere-take-over = Stattdessen diesen Tab verwenden

tile-title = Kamera
camera-on = an
camera-picture =
    .aria-label = Deine Kamera, nur für dich zu sehen
camera-retry = Noch einmal versuchen
pause-key-label = Taste P pausiert
device-label = Kamera

expressions-title = Was die Modelle gerade sehen
expressions-help = <image></image> dieser Frame (Bildmodell) <video></video> dieser Clip (Videomodell). Nur du siehst das.
bar-of-image = { "Bildmodell: " }
bar-of-video = { "Videomodell: " }

contribution-title = Beitragen
contribute-label = Beitragen, was das Modell hier lernt
metrics-label = Auch mitteilen, wie das Benennen hier läuft
metrics-help = Aus, bis du es einschaltest, in jeder Sitzung neu. Dann trägt ein Update auch drei gerundete Zahlen: den Anteil der behaltenen Clips, wie gleichmäßig Emotionen auf sie verteilt sind und ob das neueste Modell besser zu deinen Clips passt. Keine Emotion wird gesendet. Die Klasse sieht den Mittelwert von fünf Lernenden oder mehr.
contribute-help = Aus, bis du es einschaltest, in jeder Sitzung neu. Gesendet werden nur Änderungen der Gewichte und die Zahl der Clips.
training-label = Training
withheld-send = Trotzdem senden
collapse-clear = Diese Clips vergessen
collapse-overrule = Trotzdem beitragen
ledger-summary = Alles, was diesen Tab verlassen hat (<count></count>)
ledger-help = Jede Anfrage mit Inhalt oder Zugangsdaten, aus allen Besuchen, seit du zuletzt vergessen wurdest.

clips-title = Clips
clips-counts = <kept></kept> zum Lernen behalten, <held-out></held-out> beiseitegelegt, um das Training zu prüfen, <dropped></dropped> verworfen.
keep-clips-label = Clips über ein Neuladen hinweg aufheben, verschlüsselt auf diesem Gerät
keep-clips-help = Ausschalten löscht, was aufgehoben wurde.

about-title = Diese Sitzung
about-backend = Modelle laufen auf
about-video-training = Training des Videomodells
about-not-measured = noch nicht gemessen
about-memory = Speicher
about-speed = Geschwindigkeit
about-frames-per-second = <fps></fps> Frames pro Sekunde
about-video-model = Videomodell
session-leave = Verlassen
session-forget = Vergiss mich

left-title = Du hast die Klasse verlassen
left-rejoin = Wieder beitreten

forget-title = Vergiss mich?
forget-text = Das löscht von diesem Gerät die Modelle, das Token, die Liste des Gesendeten, jedes nicht gesendete Update und aufgehobene Clips mit ihrem Schlüssel, beendet das Token beim Aggregator und beendet die Sitzung in allen Tabs dieses Browsers. Gesendete Updates lassen sich aus einem Modell, in dem sie schon stecken, nicht mehr herausnehmen.
forget-keep = Behalten

## The student's page: the camera

camera-not-allowed = Der Browser darf die Kamera nicht verwenden. Erlaube sie für diese Seite (das Kamerazeichen neben der Adresse) und versuche es dann noch einmal.
camera-not-found = Es gibt keine Kamera. Schließe eine an und versuche es dann noch einmal.
camera-in-use = Ein anderes Programm verwendet die Kamera. Schließe sie dort und versuche es dann noch einmal.
camera-unavailable = Dieser Browser gibt der Seite keine Kamera. Nimm einen aktuellen Browser und die Adresse, die deine Lehrkraft ausgegeben hat.
camera-lost = Die Kamera wurde abgezogen, oder ein anderes Programm hat sie übernommen.
camera-unnamed = Kamera { $number }
camera-pause = Kamera pausieren
camera-resume = Kamera fortsetzen
camera-pause-key = Kamera pausieren (P)
camera-resume-key = Kamera fortsetzen (P)

face-looking = Suche ein Gesicht …
face-none = Kein Gesicht. Geh ins Bild.
face-one = Dein Gesicht ist im Bild.
face-several = Mehrere Gesichter: Das größte wird verwendet.
face-dark = Es ist zu dunkel, um etwas zu sehen. Mach Licht an oder decke die Kamera auf.
face-too-slow = Dein Gesicht ist im Bild, aber es werden zu wenige Frames pro Sekunde angesehen: Daraus werden keine Clips.
face-too-small = Dein Gesicht ist im Bild zu klein für Clips. Komm näher.
face-cut = Zu viel von deinem Gesicht liegt für Clips außerhalb des Bildes. Geh in die Mitte.
face-turned = Dein Gesicht ist für Clips zu weit gedreht. Sieh zur Kamera.
face-too-dark = Dein Gesicht ist zu dunkel für Clips. Mach Licht an.
face-too-bright = Dein Gesicht ist zu hell für Clips. Mach das Licht schwächer.
face-low-contrast = Dein Gesicht hat zu wenig Kontrast für Clips. Ändere das Licht.
face-blurred = Dein Gesicht ist unscharf: Daraus werden keine Clips. Halte still oder putze die Linse.
face-camera-off = Die Kamera ist aus.
face-muted = Die Kamera gibt kein Bild: Ihr Schalter, ihre Abdeckung oder ein anderes Programm hält es zurück. Es geht von selbst weiter.
face-frozen = Das Bild der Kamera steht still. Wenn es so bleibt, wähle eine andere Kamera, oder pausiere und setze fort.

## The student's page: clips and updates

clip-kept = { $label } ({ NUMBER($confidence, style: "percent") }), behalten; { $frames ->
        [one] { $frames } Frame
       *[other] { $frames } Frames
    }; das Videomodell sagt: { $predicted }
clip-held-out = { $label } ({ NUMBER($confidence, style: "percent") }), beiseitegelegt, um das Training zu prüfen; { $frames ->
        [one] { $frames } Frame
       *[other] { $frames } Frames
    }; das Videomodell sagt: { $predicted }
clip-low-confidence = { $label } ({ NUMBER($confidence, style: "percent") }), verworfen; { $frames ->
        [one] { $frames } Frame
       *[other] { $frames } Frames
    }; das Videomodell sagt: { $predicted }
clip-disagreement = { $label } ({ NUMBER($confidence, style: "percent") }), verworfen, weil die Modelle sich nicht einig sind; { $frames ->
        [one] { $frames } Frame
       *[other] { $frames } Frames
    }; das Videomodell sagt: { $predicted }
clip-too-short = { $label } ({ NUMBER($confidence, style: "percent") }), verworfen, weil zu kurz; { $frames ->
        [one] { $frames } Frame
       *[other] { $frames } Frames
    }; das Videomodell sagt: { $predicted }

drops-clips = Verworfene Clips: { $reasons }.
drops-frames = Nicht verwendete Frames: { $reasons }.
drop-low-confidence = keine Emotion war deutlich genug ({ $count })
drop-disagreement = die Modelle waren sich nicht einig ({ $count })
drop-too-short = zu wenige gute Frames ({ $count })
drop-face-too-small = Gesicht zu klein ({ $count })
drop-face-cut = Gesicht abgeschnitten ({ $count })
drop-face-turned = Gesicht weggedreht ({ $count })
drop-too-dark = zu dunkel ({ $count })
drop-too-bright = zu hell ({ $count })
drop-low-contrast = zu wenig Kontrast ({ $count })
drop-blurred = unscharf ({ $count })

label-health = { $clips ->
        [one] Letzter Clip
       *[other] Letzte { $clips } Clips
    }: { NUMBER($accepted, style: "percent") } deutlich genug zum Lernen, im Mittel { NUMBER($confidence, style: "percent") } sicher, Ausgewogenheit der Emotionen { NUMBER($balance, style: "percent") }.
label-collapse = Beitragen ist pausiert: { NUMBER($share, style: "percent") } deiner letzten Clips haben das Label „{ $emotion }“. Ein Modell, das daraus lernt, vergisst die anderen Emotionen. Es geht von selbst weiter, wenn die Labels sich mehr unterscheiden.

round-open = Runde { $round } ist offen: { $received } von { $needed } Updates sind da. Deines braucht { $clips ->
        [one] einen behaltenen Clip
       *[other] { $clips } behaltene Clips
    }.
round-none = Keine Runde ist offen.
training-progress = Training mit { $clips ->
        [one] einem Clip
       *[other] { $clips } Clips
    }: Schritt { $step } von { $steps }, Verlust { NUMBER($loss, minimumFractionDigits: 3, maximumFractionDigits: 3) }
training-paused-hidden = Das Training ist pausiert, solange dieser Tab verborgen ist. Es geht von selbst weiter.
training-paused-battery = Das Training ist pausiert: Der Akku ist schwach. Es geht von selbst weiter, wenn er geladen ist.

kept-clips-back = Von vorher wieder da: { $training ->
        [one] ein Clip
       *[other] { $training } Clips
    } zum Lernen, { $held_out } beiseitegelegt.
kept-clips-no-encryption = Deine Clips: Dieser Browser kann sie nicht verschlüsseln, also überstehen sie kein Neuladen.
kept-clips-storage-full = Deine Clips: Der Browser speichert nichts mehr, also überstehen sie kein Neuladen.
kept-clips-undecryptable = Deine Clips: Die von vorher lassen sich nicht mehr entschlüsseln und sind gelöscht.
kept-clips-malformed = Deine Clips: Die von vorher lassen sich nicht mehr lesen und sind gelöscht.
kept-clips-schema = Deine Clips: Die von vorher hat eine andere Version geschrieben; sie sind gelöscht.
kept-clips-other-participant = Deine Clips: Die von vorher gehörten jemand anderem und sind gelöscht.
kept-clips-other-backbone = Deine Clips: Die von vorher gehören zu einem anderen Bildmodell und sind gelöscht.

update-sending = Sende das Update für Runde { $round } ({ NUMBER($kilobytes, maximumFractionDigits: 0) } kB) …
update-acknowledged = Dein Update für Runde { $round } ist angekommen ({ NUMBER($kilobytes, maximumFractionDigits: 0) } kB, { $clips ->
        [one] ein Clip
       *[other] { $clips } Clips
    }).
update-refused = Das Update für Runde { $round } wurde nicht angenommen: { $reason }
update-withheld = Dein Update für Runde { $round } wird nicht gesendet: Auf { $clips ->
        [one] dem beiseitegelegten Clip
       *[other] den { $clips } beiseitegelegten Clips
    } macht es das Modell schlechter (Verlust { NUMBER($after, minimumFractionDigits: 4, maximumFractionDigits: 4) } statt { NUMBER($before, minimumFractionDigits: 4, maximumFractionDigits: 4) }).
update-withdrawn = Beitragen ist aus: Das Update für Runde { $round } wurde nicht gesendet und ist gelöscht.
update-withdrawn-late = Beitragen ist aus: Das Update für Runde { $round } ist hier gelöscht, kann aber vorher angekommen sein.

## The student's page: what left the tab

ledger-empty = Noch nichts.
ledger-one = Eine Anfrage, { $bytes } Bytes.
ledger-totals = { $requests } Anfragen, zusammen { $bytes } Bytes.
ledger-totals-newest = { $requests } Anfragen, zusammen { $bytes } Bytes. Die neuesten { $shown } sind aufgeführt.
ledger-entry = { DATETIME($time, dateStyle: "medium", timeStyle: "short") }: { $payload }; { $request }, { $bytes } Bytes. { $outcome }.
ledger-join-code = der Beitrittscode
ledger-token = das Token
ledger-update = das Update für Runde { $round } und die Zahl seiner Clips ({ $clips })
ledger-update-metrics = das Update für Runde { $round }, die Zahl seiner Clips ({ $clips }) und Zahlen zum Benennen
ledger-under-way = Noch keine Antwort
ledger-acknowledged = Bestätigt
ledger-refused = Abgelehnt mit Status { $status }
ledger-no-answer = Keine Antwort: Es kann angekommen sein
ledger-aborted = Abgebrochen: Es kann angekommen sein

## Where models run

backend-report = { $place }: { $reason }. Ein Frame braucht { NUMBER($ms, maximumFractionDigits: 0) } ms.
video-model-report = { $place }: { $reason }.
place-webgpu = WebGPU
place-webgpu-adapter = WebGPU ({ $adapter })
place-cpu = CPU
place-cpu-simd = CPU mit SIMD
place-cpu-cores = CPU mit SIMD auf { $cores } Kernen
backend-chosen-webgpu = WebGPU wurde gewählt
backend-chosen-cpu = die CPU wurde gewählt
backend-no-webgpu = dieser Browser hat kein WebGPU
backend-no-adapter = WebGPU findet keinen Adapter
backend-limits = die Grenzwerte des Adapters liegen unter den Vorgaben von WebGPU
backend-limits-named = die Grenzwerte des Adapters { $adapter } liegen unter den Vorgaben von WebGPU
backend-software = der Adapter ist Software
backend-software-named = der Adapter { $adapter } ist Software
backend-measured-webgpu = WebGPU ist schneller: { NUMBER($webgpu, maximumFractionDigits: 0) } ms je Frame auf WebGPU, { NUMBER($cpu, maximumFractionDigits: 0) } ms auf der CPU
backend-measured-cpu = die CPU ist schneller: { NUMBER($webgpu, maximumFractionDigits: 0) } ms je Frame auf WebGPU, { NUMBER($cpu, maximumFractionDigits: 0) } ms auf der CPU
backend-load-failed = das Backbone lädt nicht auf WebGPU: { $failure }
backend-webgpu-lost = WebGPU ging verloren ({ $failure }), und die CPU hat übernommen
video-no-webgpu = das Backbone läuft nicht auf WebGPU
video-measured = { NUMBER($webgpu, maximumFractionDigits: 0) } ms je Trainingsschritt auf WebGPU, { NUMBER($cpu, maximumFractionDigits: 0) } ms auf der CPU
video-deviates = WebGPU rechnet hier falsch
video-deviates-by = WebGPU rechnet hier falsch, um bis zu { NUMBER($deviation, style: "percent", minimumFractionDigits: 1, maximumFractionDigits: 1) }
video-architecture = seine Architektur läuft neben dem Backbone
video-failed = WebGPU ist ausgefallen ({ $failure })
failure-script = das Skript lädt nicht
failure-stopped = der Worker ist stehen geblieben{ $detail }
failure-silent = keine Antwort seit { $seconds } s
failure-device-lost = das Gerät ist weg{ $detail }
failure-failed = der Worker ist ausgefallen{ $detail }

## Problems of the session

way-reload = Lade die Seite neu; wenn das nicht hilft, sag es deiner Lehrkraft.
way-reload-on = Lade die Seite neu, um weiterzumachen.
way-other-link = Bitten Sie Ihre Lehrperson um den Link einer anderen.
way-reload-fits = Lade die Seite neu, um die passende Version zu bekommen.
way-reload-newest = Lade die Seite neu, um ihre neueste Version zu bekommen; wenn das nicht hilft, sag es deiner Lehrkraft.
way-keeps-trying = Die Seite versucht es von selbst weiter.
way-retries-in = Die Seite versucht es von selbst noch einmal, in { $seconds } s.
way-leave-private = Verlasse den privaten Modus, wenn du nach einem Neuladen weitermachen willst.
way-check-connection = Prüfe die Verbindung und lade dann die Seite neu; wenn es so bleibt, sag es deiner Lehrkraft.
way-close-tabs = Schließe andere Tabs, damit Speicher frei wird, und lade dann die Seite neu.
way-pause = Pausiere die Kamera und setze sie fort.
way-pause-or-choose = Pausiere die Kamera und setze sie fort, oder wähle eine andere.
way-check-code = Prüfe den Code mit deiner Lehrkraft und gib ihn noch einmal ein.
way-join-again = Lade die Seite neu und tritt noch einmal bei.
way-tell-instructor = Sag es deiner Lehrkraft. Die Seite versucht es von selbst weiter.
way-current-browser = Nimm einen aktuellen Browser.
way-clear-data = Lösche die Daten dieser Website in den Einstellungen des Browsers.

problem-storage = Dieser Browser speichert nichts auf dem Gerät, also fängt ein Neuladen von vorn an.
problem-panicked = Der Sitzungs-Worker ist stehen geblieben{ $detail }.
problem-unreachable = Der Aggregator antwortet nicht{ $detail }.
problem-timed-out = Der Aggregator hat nicht innerhalb von { $seconds } s geantwortet.
problem-malformed = Die Antwort des Aggregators ist nicht zu verstehen{ $detail }.
problem-ended = Diese Klasse ist beendet.
problem-protocol = Der Aggregator spricht Version { $aggregator } des Protokolls, diese Seite Version { $page }.
problem-altered-backbone = Die Datei mit den Gewichten des Backbones kam zweimal verändert an.
problem-altered-detector = Die Datei mit den Gewichten der Gesichtserkennung kam zweimal verändert an.
problem-altered-vfer = Die Datei mit den Gewichten des Videomodells kam zweimal verändert an.
problem-weights = Die Gewichte passen nicht{ $detail }.
problem-model = Ein Modell ist ausgefallen{ $detail }.
problem-training = Das Training ist fehlgeschlagen{ $detail }.
problem-backbone = Das Backbone kann nicht laufen: { $failure }.
problem-extractor = Das Programm, das die Modelle ausführt, lädt nicht: { $failure }.
problem-video-model = Das Videomodell kann nicht laufen: { $failure }.
problem-architecture = Diese Seite kann das Videomodell der Föderation nicht ausführen{ $detail }.
problem-frame = Das Bild der Kamera kann nicht gelesen werden{ $detail }.
problem-frames = Die Bilder der Kamera können nicht gelesen werden{ $detail }.
problem-frame-small = Das Bild der Kamera hat nur { $width } × { $height } Pixel; je Seite sind { $minimum } nötig.
problem-no-workers = Dieser Browser startet keinen Worker für die Seite.
problem-stopped-twice = Die Modelle sind zweimal stehen geblieben ({ $failure }).
problem-not-loaded = Das Programm, das die Modelle ausführt, lädt nicht ({ $failure }).
problem-not-deleted = Der Browser wollte nicht löschen, was diese Seite auf dem Gerät gespeichert hat.

refusal-join-code = Keine Klasse hat diesen Code.
refusal-unauthorized = Der Aggregator kennt diese Teilnahme nicht oder nicht mehr.
refusal-stale = Inzwischen wurde ein neueres Modell veröffentlicht.
refusal-no-round = Die Runde nimmt keine Updates mehr an.
refusal-received = In dieser Runde zählt schon ein anderes Update dieser Teilnahme.
refusal-too-large = Das Update ist größer als jedes Update dieses Modells.
refusal-bad-update = Das Update gehört nicht zu diesem Modell oder ist eine zu große Änderung.
refusal-bad-update-at = Das Update gehört nicht zu diesem Modell oder ist eine zu große Änderung (bei { $tensor }).
refusal-bad-request = Der Aggregator versteht nicht, worum diese Seite bittet.
refusal-rate = Von hier kamen zu viele Anfragen.
refusal-rate-wait = Von hier kamen zu viele Anfragen; der Aggregator bittet, { $seconds } s zu warten.
refusal-not-found = Der Aggregator hat nicht, worum diese Seite bittet.
refusal-conflict = Der Aggregator kann das jetzt nicht tun: Vielleicht ist die Klasse voll.
refusal-storage = Der Aggregator kann im Moment nichts speichern.
refusal-damaged = Auf der Platte des Aggregators ist eine Datei beschädigt.
refusal-internal = Der Aggregator ist ausgefallen.

## Joining, leaving, other tabs, the connection

loading-backbone = Lade das Backbone ({ NUMBER($megabytes, minimumFractionDigits: 1, maximumFractionDigits: 1) } MB) …
loading-detector = Lade die Gesichtserkennung ({ NUMBER($megabytes, minimumFractionDigits: 1, maximumFractionDigits: 1) } MB) …
loading-vfer = Lade das Videomodell ({ NUMBER($megabytes, minimumFractionDigits: 1, maximumFractionDigits: 1) } MB) …
connection-offline = Der Aggregator antwortet nicht. Was hier läuft, läuft weiter, und nichts geht verloren.
connection-retry = { " " }Neuer Versuch in { $seconds } s.
tab-follows = Ein anderer Tab dieses Browsers ist in der Klasse, mit der Kamera und den Modellen.
tab-waits = Warte, bis der andere Tab fertig gesendet hat …
tab-hands-over = Dieser Tab übergibt an einen anderen …
tab-nothing-left = Der andere Tab ist geschlossen und hat auf diesem Gerät nichts hinterlassen: Er war noch nicht beigetreten, oder du wolltest dort vergessen werden. Darum fragt dich dieser Tab noch einmal.
ended-left = Die Kamera ist aus. Nichts wird mehr berechnet oder gesendet.
ended-follower = In diesem Tab wird nichts berechnet oder gesendet.
ended-elsewhere = Du wolltest vergessen werden, in einem anderen Tab. Hier wird nichts mehr berechnet oder gesendet.
ended-deleted = Alles, was diese Seite auf dem Gerät gespeichert hatte, ist gelöscht, und die Kamera ist aus.
token-ended = { " " }Der Aggregator hat das Token dieser Teilnahme beendet.
token-lost = { " " }Der Aggregator hat nicht geantwortet und hat das Token dieser Teilnahme noch; niemand kann es mehr benutzen.

## The global model

model-version = Modell { $version }
model-bootstrap = Version { $version }, ein Anfang, vom Bildmodell abgeleitet: noch kein Ergebnis
model-synthetic = Version { $version }, mit künstlichen Clips trainiert: noch kein Ergebnis
model-trained-on = Version { $version }, trainiert mit menschlichen Urteilen über { $clips } Gesichter oder Clips ({ $dataset })
model-trained = Version { $version }, trainiert mit gelabelten Clips
model-unknown = Version { $version }
model-federated = Version { $version }, entstanden{ $parent }{ $round } durch { $clients ->
        [one] eine teilnehmende Person
       *[other] { $clients } Lernende
    }
model-federated-clips = Version { $version }, entstanden{ $parent }{ $round } durch { $clients ->
        [one] eine teilnehmende Person
       *[other] { $clients } Lernende
    } mit { $clips ->
        [one] einem Clip
       *[other] { $clips } Clips
    }
model-from-version = { " " }aus Version { $version }
model-in-round = { " " }in Runde { $round }
model-personal = . Was hier gezeigt wird, kommt von einem eigenen Kopf für dich, aus { $clips ->
        [one] deinem letzten Clip
       *[other] deinen letzten { $clips } Clips
    }; er verlässt diesen Tab nie
origin-bootstrap = Bootstrap (ein Anfang, kein Ergebnis)
origin-synthetic = mit künstlichen Clips trainiert
origin-trained-on = trainiert mit { $dataset }
origin-trained = trainiert
origin-restored = wiederhergestellt
origin-round = Runde { $round }
model-clips-untold = nicht angegeben
model-held-out = { NUMBER($before, minimumFractionDigits: 3, maximumFractionDigits: 3) } → { NUMBER($after, minimumFractionDigits: 3, maximumFractionDigits: 3) }

## The instructor's page: markup

desk-title = emofed: Lehrkraft
desk-heading = Lehrkraft
desk-unsupported = Dieser Browser kann die Seite nicht ausführen. Sie braucht WebAssembly: ein aktuelles Chromium, Firefox oder Safari.
sign-in-title = Token der Lehrkraft
sign-in-help = Es steht in dem Link, den der Aggregator beim Start ausgegeben hat.
sign-in-token = Token
sign-in-go = Weiter
invite-title = Lernende einladen
invite-code = Geben Sie diesen Link aus. Der Code darin ist <code></code>.
invite-link =
    .aria-label = Link für Lernende
invite-renew = Neuen Code erzeugen
invite-help = Sie sehen, wie viele Tabs verbunden sind und wie viele beigetragen haben. Nichts hier oder sonst auf diesem Rechner verrät, was die Kamera von Lernenden sah oder was die Modelle dazu sagten. Lernende können drei gerundete Zahlen zum Benennen mit einem Update schicken; Sie sehen den Mittelwert von fünf oder mehr.
round-title = Runde
round-connected = Sichtbare Tabs
round-participants = Je beigetreten
round-open-button = Runde öffnen
round-close-button = Jetzt schließen
settings-title = Einstellungen
settings-minimum = So viele Updates braucht eine Runde mindestens
settings-target = Runde schließen, wenn so viele Updates da sind
settings-duration = Runde beenden nach Minuten
settings-continuous = Nächste Runde von selbst öffnen
settings-save = Speichern
settings-help = Gilt ab der nächsten Runde.
participants-title = Teilnehmende
participants-summary = Zufällige Kennungen, die im Protokoll des Aggregators stehen, wenn er ein Update ablehnt
participants-table =
    .aria-label = Tabelle der Teilnehmenden
column-id = Kennung
column-joined = Beigetreten
column-action = Aktion
models-title = Globale Modelle
models-table =
    .aria-label = Tabelle der Modelle
column-version = Version
column-parent = Entstanden aus
column-origin = Herkunft
column-clients = Clients
column-clips = Clips
column-held-out = Makro-F1 auf zurückgehaltenen Clips
column-published = Veröffentlicht
rounds-title = Runden
rounds-table =
    .aria-label = Tabelle der Runden
column-round = Runde
column-base = Auf Version
column-updates = Updates
column-opened = Geöffnet
column-state = Stand
confirm-yes = Ja
confirm-no = Nein

## The instructor's page: the code's

desk-federation = { $federation }: Lehrkraft
desk-unauthorized-way = Öffnen Sie den Link für die Lehrkraft, den der Aggregator beim Start ausgegeben hat.
desk-nothing-changed = Nichts wurde geändert.
desk-no-answer = Der Aggregator antwortet nicht.
desk-no-answer-way = Starten Sie den Aggregator neu; diese Seite macht von selbst weiter.
desk-offline = Der Aggregator antwortet nicht. Diese Seite versucht es weiter.
desk-joining-ends = Lernende können damit bis { DATETIME($time, dateStyle: "medium", timeStyle: "short") } beitreten.
desk-round = Runde { $round } ist auf Version { $version } offen: { $received } von { $needed } Updates sind da. Sie endet spätestens am { DATETIME($deadline, dateStyle: "medium", timeStyle: "short") }.
ask-close = Runde { $round } jetzt schließen? Die vorhandenen Updates werden gemittelt und veröffentlicht.
ask-restore = Version { $version } wieder zum globalen Modell machen? Jeder Tab wechselt zu ihr; eine offene Runde wird aufgegeben.
ask-renew = Einen neuen Beitrittscode erzeugen? Mit dem alten und seinen Links kann niemand mehr beitreten; wer beigetreten ist, bleibt.
ask-revoke = Kennung { $id } sperren? Der Tab kann nichts mehr senden, außer er tritt mit dem Beitrittscode noch einmal bei.
desk-restore = Zurück zu Version { $version }
desk-current = aktuell
desk-revoke = { $id } sperren
desk-copy = Kopieren
desk-copied = Kopiert
desk-saved = Gespeichert.
phase-open = offen
phase-aggregating = wird gemittelt
phase-evaluating = wird geprüft
phase-published = veröffentlicht als Version { $version }
phase-rejected = verworfen: { $reason }
phase-abandoned = aufgegeben
phase-abandoned-few = aufgegeben: { $found } von { $needed } Updates, die sie gebraucht hätte
phase-abandoned-strategy = aufgegeben: { $found } von { $needed } Updates, die die Strategie { $strategy } braucht
phase-abandoned-worse = aufgegeben: für die meisten von { $clients } Studierenden, die es mitteilen, hat Version { $version } den Verlust auf ihren eigenen Clips um mehr als { $limit } erhöht; Version { $restored } wurde erneut veröffentlicht
phase-abandoned-replaced = aufgegeben: ein anderes Modell wurde das globale Modell
phase-unknown = zum Ansehen die Seite neu laden
rejected-layout = das Aggregat passt nicht zum Modell
rejected-not-finite = das Aggregat hat Werte, die keine Zahlen sind
rejected-norm = das Modell würde sich um { NUMBER($found, minimumFractionDigits: 3, maximumFractionDigits: 3) } bewegen, mehr als { NUMBER($limit, minimumFractionDigits: 3, maximumFractionDigits: 3) }
rejected-macro-f1 = Makro-F1 auf den zurückgehaltenen Clips von { $dataset } fiele von { NUMBER($before, minimumFractionDigits: 3, maximumFractionDigits: 3) } auf { NUMBER($found, minimumFractionDigits: 3, maximumFractionDigits: 3) }, um mehr als { NUMBER($tolerance, minimumFractionDigits: 3, maximumFractionDigits: 3) }
rejected-loss = das Modell versagt auf den zurückgehaltenen Clips von { $dataset }
rejected-damaged = was davon gespeichert war, ist beschädigt; das Protokoll des Aggregators sagt, was
rejected-unspecified = durch eine frühere Version des Aggregators, deren Protokoll den Grund nennt
rejected-unknown = für den Grund die Seite neu laden

## Die Seite der Studierenden: Bühne, Kachel und Seitenleiste

lecture-title = Vorlesung
lecture-open = In eigenem Tab öffnen
lecture-full-screen = Vollbild
lecture-video =
    .aria-label = Video der Vorlesung
lecture-document =
    .title = Dokument der Vorlesung
lecture-page =
    .title = Seite der Vorlesung
lecture-not-loaded = Die Vorlesung lädt nicht. Frag deine Lehrkraft; alles andere auf dieser Seite geht auch ohne sie.
picture-previous = Zurück
picture-next = Weiter
picture-count = Bild { $number } von { $count }
preview-start = Kamera ausprobieren
preview-stop = Kamera ausschalten
preview-help = Nur ein Bild für dich: Bevor du beitrittst, wird nichts daraus berechnet.
tile-fold = Einklappen
tile-unfold = Zeigen
panel-toggle = Modelle und Privates
panel-title = Modelle und Privates
panel-close = Schließen

## Die Seite der Studierenden: der Zeitverlauf

timeline-title = Dein Zeitverlauf
timeline-help = Was die Modelle in dieser Sitzung sagten. Er ist nur im Speicher dieser Seite: Niemand sonst sieht ihn, und er ist weg, wenn du die Seite schließt.
timeline-model = Modell
timeline-image = Bildmodell, je Bild
timeline-video = Videomodell, je Clip
timeline-window = Gezeigte Zeit
timeline-2-minutes = die letzten 2 Minuten
timeline-15-minutes = die letzten 15 Minuten
timeline-all = die ganze Sitzung
timeline-empty = Noch nichts: Er beginnt mit dem ersten Gesicht.
timeline-cursor =
    .aria-label = Zeitpunkt
timeline-table = Als Tabelle
timeline-table-region =
    .aria-label = Tabelle des Zeitverlaufs
timeline-time = Zeit
timeline-record = Zeitverlauf führen
timeline-export = Als CSV speichern
timeline-clear = Leeren
clock-time = { DATETIME($time, timeStyle: "medium") }
timeline-read-out = { $time }: { $emotions }. { $clip }
timeline-no-face = { $time }: kein Gesicht. { $clip }
timeline-emotion = { $emotion } { $share }
timeline-clip-kept = Clip: { $label }.
timeline-clip-dropped = Clip: { $label }, verworfen.
timeline-clip-struck-out = Clip: { $label }, gestrichen.

## Die Seite der Studierenden: geänderte Clips, Einstellungen, die Zeit der Runde

clips-help = Die Labels sind, was das Bildmodell sagt. Bevor aus einem Clip gelernt wird, kannst du sein Label berichtigen oder ihn streichen.
clip-label =
    .aria-label = Label dieses Clips
clip-strike-out = Streichen
clip-corrected = Berichtigt: { $label }.
clip-struck-out = Gestrichen: Er wird nicht verwendet.
clip-not-edited = Zu spät: Dieser Clip ist in einem gesendeten Update oder nicht mehr da.
label-counts = Behalten, nach Label: { $counts }.
label-count = { $label } { $count }
settings-title = Einstellungen
frame-rate-label = Bilder pro Sekunde
frame-rate-class = wie die Klasse es will
frame-rate-5 = höchstens 5
frame-rate-2 = höchstens 2
theme-label = Darstellung
theme-device = wie auf diesem Gerät
theme-light = hell
theme-dark = dunkel
theme-contrast = hoher Kontrast
round-ends-soon = Die Runde endet in weniger als einer Minute.
round-time-left = { $minutes ->
        [one] Die Runde endet in { $minutes } Minute.
       *[other] Die Runde endet in { $minutes } Minuten.
    }
training-time-left = { $seconds ->
        [one] Noch etwa { $seconds } Sekunde.
       *[other] Noch etwa { $seconds } Sekunden.
    }
effect-better = Version { $version } passt besser zu deinen { $clips } beiseitegelegten Clips als die davor: Verlust { NUMBER($before, maximumFractionDigits: 3) } → { NUMBER($after, maximumFractionDigits: 3) }.
effect-worse = Version { $version } passt schlechter zu deinen { $clips } beiseitegelegten Clips als die davor: Verlust { NUMBER($before, maximumFractionDigits: 3) } → { NUMBER($after, maximumFractionDigits: 3) }.
ledger-look-inside = Was darin war
ledger-download = So herunterladen, wie es gesendet wurde
ledger-no-body = Es ist nicht mehr da: Nur die neuesten fünf werden behalten.
ledger-tensor-figures = { $name }, { $shape }: Norm { NUMBER($norm, maximumSignificantDigits: 3) }, größter Wert { NUMBER($largest, maximumSignificantDigits: 3) }
ledger-metrics = Zahlen zum Benennen: { NUMBER($accepted, style: "percent") } der Clips behalten, Gleichmäßigkeit der Emotionen { NUMBER($balance, maximumFractionDigits: 2) }
ledger-metrics-change = Zahlen zum Benennen: { NUMBER($accepted, style: "percent") } der Clips behalten, Gleichmäßigkeit der Emotionen { NUMBER($balance, maximumFractionDigits: 2) }, Änderung des Verlusts { NUMBER($change, maximumFractionDigits: 2) }
ledger-histogram =
    .aria-label = Histogramm seiner Werte, vom negativsten zum positivsten

## The instructor's page: round, invitation, lecture, versions, log and report

round-model = Globales Modell
meter-updates = Eingegangene Updates
meter-time = Restzeit
invite-show = Der Klasse zeigen
statement-summary = Erklärung, die Lernende vor dem Beitritt sehen
statement-missing = Es gibt keine: Dieser Aggregator darf nur diesen Rechner bedienen. Schreiben Sie in seine Konfiguration, und starten Sie ihn neu:
stage-title = Vorlesung
stage-kind-label = Was Lernende neben ihrer eigenen Kamera sehen
stage-kind-none = nichts
stage-kind-video = ein Video
stage-kind-document = ein PDF-Dokument
stage-kind-pictures = Bilder, eines nach dem anderen
stage-kind-page = eine andere Seite, etwa eine Besprechung
stage-address-label = Adresse
stage-addresses-label = Adressen, eine je Zeile
stage-files =
    .aria-label = Dateien des Vorlesungsordners
stage-put = Auf die Bühne
stage-hint = Noch darf nichts gezeigt werden: Die Konfiguration nennt keinen Ordner mit Dateien und keinen Ursprung, dessen Seiten gezeigt werden dürfen.
log-title = Was geschehen ist
log-empty = Nichts, seit diese Seite geöffnet wurde.
report-button = Bericht der Sitzung herunterladen
report-help = Eine Datei zum Aufheben oder Drucken: Föderation, Einstellungen, Runden, Modelle und diese Liste. Keine Teilnehmenden und kein Ergebnis Einzelner stehen darin.
lineage =
    .aria-label = Abstammung der Versionen; mit den Pfeiltasten eine wählen
figure-macro-f1 = Makro-F1 auf zurückgehaltenen Clips
figure-acceptance = Behaltene Clips in der Klasse
figure-balance = Gleichmäßigkeit der Emotionen in der Klasse
figure-loss = Verlust auf zurückgehaltenen Clips
figure-cursor-f1 =
    .aria-label = Version im Diagramm des Makro-F1
figure-cursor-acceptance =
    .aria-label = Version im Diagramm der behaltenen Clips
figure-cursor-balance =
    .aria-label = Version im Diagramm der Gleichmäßigkeit
figure-cursor-loss =
    .aria-label = Version im Diagramm des Verlusts
column-loss = Verlust auf zurückgehaltenen Clips
settings-minimum-help = Eine Runde, die am Ende weniger hat, wird aufgegeben, und die Studierenden behalten ihre Clips für die nächste. Mehr Updates verbergen jedes einzelne besser. Drei ist die Untergrenze: Von zweien könnte jede Person das Update der anderen ausrechnen.
settings-target-help = Weniger, als es Studierende gibt, damit niemand auf die langsamsten warten muss; wer später kommt, behält die Clips für die nächste Runde. Solange weniger da sind, geht die Runde bis zu ihrem Ende weiter. Nie unter der Zahl darüber.
settings-duration-help = Eine Runde, die bis dahin zu wenige Updates hat, wird aufgegeben: Das Modell bleibt, wie es ist.
settings-continuous-help = Aus: Das Modell ändert sich nur, wenn Sie eine Runde öffnen.
class-close = Schließen
class-code = Beitrittscode
round-stands = Runde { $round }: { $phase }.
round-received = { $received } von { $needed }
round-countdown = { NUMBER($minutes, minimumIntegerDigits: 2) }:{ NUMBER($seconds, minimumIntegerDigits: 2) }
round-countdown-hours = { $hours }:{ NUMBER($minutes, minimumIntegerDigits: 2) }:{ NUMBER($seconds, minimumIntegerDigits: 2) }
round-too-few = Sie kann vorzeitig geschlossen werden, sobald { $needed } Updates da sind.
qr-code = QR-Code des Links für Lernende: { $link }
stage-now = Auf der Bühne: { $lecture }.
stage-is-video = das Video { $address }
stage-is-document = das Dokument { $address }
stage-is-page = die Seite { $address }
stage-is-pictures = Bilder ({ $count })
stage-help-files = Dateien des Vorlesungsordners heißen lecture/NAME.
stage-help-both = Dateien des Vorlesungsordners heißen lecture/NAME; ganze Adressen dürfen von { $origins } sein.
stage-help-origins = Eine ganze Adresse, von { $origins }.
stage-address-missing = Schreiben Sie eine Adresse, oder wählen Sie eine Datei.
settings-out-of-range = Schreiben Sie eine ganze Zahl von { $least } bis { $most }.
version-described = Version { $version } ({ $origin }), veröffentlicht am { DATETIME($time, dateStyle: "medium", timeStyle: "short") }.
version-restored = Version { $version } wiederholt Version { $restored }, seit { DATETIME($time, dateStyle: "medium", timeStyle: "short") }.
version-figures = { " " }Auf { $clips } zurückgehaltenen Clips von { $dataset }: Makro-F1 { NUMBER($f1before, minimumFractionDigits: 3, maximumFractionDigits: 3) } → { NUMBER($f1after, minimumFractionDigits: 3, maximumFractionDigits: 3) }, Verlust { NUMBER($lossbefore, minimumFractionDigits: 3, maximumFractionDigits: 3) } → { NUMBER($lossafter, minimumFractionDigits: 3, maximumFractionDigits: 3) }.
version-metrics = { " " }Von { $clients } Lernenden, die es mitteilten: { NUMBER($accepted, style: "percent") } der Clips behalten, Gleichmäßigkeit der Emotionen { NUMBER($balance, maximumFractionDigits: 2) }.
version-metrics-change = { " " }Auf ihren eigenen Clips hatte Version { $parent } den Verlust um { NUMBER($change, maximumFractionDigits: 2) } geändert.
version-current = { " " }Sie ist jetzt das globale Modell.
figure-short = { NUMBER($value, minimumFractionDigits: 3, maximumFractionDigits: 3) }
# Within a chart, which runs from the left to the right in every language.
figure-f1-change = { NUMBER($before, minimumFractionDigits: 2, maximumFractionDigits: 2) } → { NUMBER($after, minimumFractionDigits: 2, maximumFractionDigits: 2) }
figure-change = { NUMBER($before, minimumFractionDigits: 3, maximumFractionDigits: 3) } → { NUMBER($after, minimumFractionDigits: 3, maximumFractionDigits: 3) }
log-round-opened = Runde { $round } geöffnet, auf Version { $version }.
log-updates = Runde { $round }: { $received } Updates sind da.
log-updates-of = Runde { $round }: { $received } von { $needed } Updates sind da.
log-closed = Runde { $round } geschlossen.
log-closed-complete = Runde { $round } geschlossen: Alle erwarteten Updates sind da.
log-closed-instructor = Runde { $round } von der Lehrkraft geschlossen.
log-closed-deadline = Runde { $round } geschlossen: Ihre Zeit ist um.
log-published = Version { $version } ist veröffentlicht.
log-rolled-back = Zurück zu Version { $restored }, als Version { $version }.
log-code = Es gibt einen neuen Beitrittscode.
log-settings = Die Einstellungen haben sich geändert.
log-revoked = Eine Kennung wurde gesperrt.
report-title = { $federation }: Bericht der Sitzung
report-made = Erstellt am { DATETIME($time, dateStyle: "medium", timeStyle: "short") }. Kein Ergebnis Einzelner und keine Teilnehmenden stehen in diesem Bericht: Der Aggregator hat keine.
