# الصفحات بالعربية. يشرح CONTRIBUTING.md كيف تُضاف لغة.
# المصطلحات: جولة، مقطع، نموذج، أوزان، مُجمِّع، رمز الانضمام، رمز الدخول، إطار.

## Names that several messages use

emotion-anger = غضب
emotion-disgust = اشمئزاز
emotion-fear = خوف
emotion-happiness = سعادة
emotion-neutral = محايد
emotion-sadness = حزن

list-separator = { "، " }
no-value = –
number-megabytes = { NUMBER($number, maximumFractionDigits: 0) } ميغابايت
number-tenths = { NUMBER($number, minimumFractionDigits: 1, maximumFractionDigits: 1) }
number-whole = { $number }
number-percent = { NUMBER($share, style: "percent") }
date-time = { DATETIME($time, dateStyle: "medium", timeStyle: "short") }
bracketed-detail = { " " }({ $detail })

## Both pages

language-label =
    .aria-label = اللغة
few-contributors = عرض توضيحي: قد تنشر الجولات هنا ما أسهم فيه أقل من ثلاثة طلاب. ومن يُسهم مع طالب واحد فقط يستطيع أن يستنتج تحديثه.
    .aria-label = عرض توضيحي
problem-reload = إعادة تحميل الصفحة
problem-dismiss = إخفاء
files-unloaded = ملفات هذه الصفحة لا تُحمَّل. ستحاول الصفحة مجددًا من تلقاء نفسها.

## The student's page: markup

student-title = emofed: صف افتراضي
student-heading = صف افتراضي
student-unsupported = لا يستطيع هذا المتصفح تشغيل الصفحة. فهي تحتاج إلى WebAssembly مع SIMD: نسخة حديثة من Chromium أو Firefox أو Safari.

consent-title = قبل أن تنضم
consent-intro = تنظر هذه الصفحة إلى صورة كاميرتك وتسمّي الشعور الذي يبدو على وجهك. كل ذلك يجري <here>في علامة التبويب هذه، على هذا الجهاز</here>.
consent-stays = يبقى هنا
consent-stays-what = كل صورة، وكل ما يُحسب منها، وكل تصنيف وكل توقّع. لا يراها أحد غيرك، ولا حتى معلّمك.
consent-join = يُرسَل للانضمام
consent-join-what = رمز الانضمام. ويعود رمز دخول عشوائي يُرفق بما ترسله لاحقًا.
consent-contribute = يُرسَل فقط إذا اخترت أن تُسهم
consent-contribute-what = كيف تغيّرت أوزان نموذج صغير عند تدريبه على مقاطعك، وعدد المقاطع. وتعرض الصفحة كل ما يُرسَل.
consent-kept = يُحفظ على هذا الجهاز
consent-kept-what = النماذج المستخدمة؛ ورمز الانضمام ورمز دخول عشوائي لهذا الصف؛ والتحديث إلى أن يُبتّ فيه؛ وقائمة ما أُرسل، وآخر خمسة تحديثات؛ واللغة والمظهر اللذان تختارهما، وأن هذه الصفحة فُتحت من قبل؛ وما اخترته هنا، لعلامة التبويب هذه إلى أن تُغلق. لا صورة ولا توقّع، ولا تصنيف إلا إذا سمحت أدناه بحفظ المقاطع. زر <forget>انسَني</forget> يحذف ذلك كله ويُنهي رمز الدخول.
deployment-title = من يشغّل هذا، ولماذا
deployment-purpose = الغرض
deployment-jurisdiction = الولاية القضائية
deployment-legal-basis = الأساس القانوني
deployment-contact = جهة الاتصال
consent-law = برنامج بحثي. يُحظر في الاتحاد الأوروبي استنتاج المشاعر في مجال التعليم خارج البحث العلمي والاستخدام الطبي أو لأغراض السلامة (قانون الذكاء الاصطناعي، المادة { "\u2066" }5(1)(f){ "\u2069" }). ما يُظهره الوجه ليس هو ما يشعر به الإنسان.
join-code-label = رمز الانضمام
join-code-help = تجده في الرابط الذي وزّعه معلّمك.
backend-summary = أين تعمل النماذج
backend-label = الحساب على
backend-auto = الأسرع (بالقياس)
backend-webgpu = WebGPU
backend-cpu = المعالج (CPU)
consent-keep-clips = احفظ مقاطعي عند إعادة تحميل علامة التبويب هذه
consent-keep-clips-help = عند الإيقاف: المقاطع في الذاكرة فقط، وتضيع عند إعادة التحميل. عند التشغيل: يُحفظ على هذا الجهاز، مشفّرًا، ما حُسب من وجهك (أرقام لا صور) والمشاعر المسمّاة. إيقافه أو زر <forget>انسَني</forget> يحذف المفتاح وكل ذلك. ولا يُرسَل منه شيء.
consent-agree = أوافق وأنضم
consent-decline = لا، شكرًا

declined-title = لا بأس
declined-text = يسير الصف من دون ذلك. لم يُسجَّل شيء ولم يُحسب ولم يُرسَل، ولن يُخبَر معلّمك.
declined-back = رجوع

starting-title = جارٍ التحضير
starting-joining = جارٍ الانضمام إلى الصف …

elsewhere-title = مفتوح في علامة تبويب أخرى
elsewhere-help = الكاميرا متوقفة هنا، ولا يُحسب شيء ولا يُرسَل. عندما تُغلق علامة التبويب الأخرى تتابع هذه. والمقاطع التي احتفظت بها علامة التبويب الأخرى تبقى هناك.
elsewhere-take-over = استخدم علامة التبويب هذه بدلًا منها

tile-title = الكاميرا
camera-on = تعمل
camera-picture =
    .aria-label = كاميرتك، لا يراها غيرك
camera-retry = حاول مجددًا
pause-key-label = المفتاح P يوقف مؤقتًا
device-label = الكاميرا

expressions-title = ما تراه النماذج الآن
expressions-help = <image></image> هذا الإطار (نموذج الصور) <video></video> هذا المقطع (نموذج الفيديو). لا يرى هذا غيرك.
bar-of-image = { "نموذج الصور: " }
bar-of-video = { "نموذج الفيديو: " }

contribution-title = الإسهام
contribute-label = أُسهم بما يتعلّمه النموذج هنا
metrics-label = أخبِر أيضًا كيف تسير التسمية هنا
metrics-help = متوقف ما لم تشغّله، في كل جلسة. عندئذ يحمل التحديث أيضًا ثلاثة أرقام مقرّبة: نسبة المقاطع المحفوظة، ومدى تساوي توزّع المشاعر عليها، وهل يلائم أحدث نموذج مقاطعك أكثر. لا تُرسَل أي تسمية. يرى الصف متوسط خمسة طلاب أو أكثر.
contribute-help = متوقف ما لم تشغّله، في كل جلسة. لا تُرسَل إلا تغيّرات الأوزان وعدد المقاطع.
training-label = التدريب
withheld-send = أرسله رغم ذلك
collapse-clear = انسَ هذه المقاطع
collapse-overrule = أُسهم رغم ذلك
ledger-summary = كل ما غادر علامة التبويب هذه (<count></count>)
ledger-help = كل طلب له محتوى أو بيانات دخول، من كل زيارة منذ آخر مرة نُسيت فيها.

clips-title = المقاطع
clips-counts = محفوظ للتعلّم: <kept></kept>، جانبًا لفحص التدريب: <held-out></held-out>، مستبعد: <dropped></dropped>.
keep-clips-label = احفظ المقاطع عند إعادة التحميل، مشفّرةً على هذا الجهاز
keep-clips-help = إيقافه يحذف ما حُفظ.

about-title = هذه الجلسة
about-backend = النماذج تعمل على
about-video-training = تدريب نموذج الفيديو على
about-not-measured = لم يُقَس بعد
about-memory = الذاكرة
about-speed = السرعة
about-frames-per-second = <fps></fps> إطار في الثانية
about-video-model = نموذج الفيديو
session-leave = مغادرة
session-forget = انسَني

left-title = لقد غادرت
left-rejoin = انضم مجددًا

forget-title = هل أنساك؟
forget-text = يحذف هذا من الجهاز النماذج ورمز الدخول وقائمة ما أُرسل وكل تحديث لم يُرسَل والمقاطع المحفوظة مع مفتاحها، ويُنهي رمز الدخول لدى المُجمِّع، ويُنهي الجلسة في كل علامات تبويب هذا المتصفح. أما التحديثات المُرسَلة فلا يمكن إخراجها من نموذج صارت جزءًا منه.
forget-keep = إبقاء

## The student's page: the camera

camera-not-allowed = لا يُسمح للمتصفح باستخدام الكاميرا. اسمح بها لهذه الصفحة (رمز الكاميرا قرب العنوان)، ثم حاول مجددًا.
camera-not-found = لا توجد كاميرا. صِل واحدة، ثم حاول مجددًا.
camera-in-use = برنامج آخر يستخدم الكاميرا. أغلقها هناك، ثم حاول مجددًا.
camera-unavailable = لا يمنح هذا المتصفح الصفحة كاميرا. استخدم متصفحًا حديثًا، والعنوان الذي وزّعه معلّمك.
camera-lost = فُصلت الكاميرا، أو أخذها برنامج آخر.
camera-unnamed = الكاميرا { $number }
camera-pause = إيقاف الكاميرا مؤقتًا
camera-resume = استئناف الكاميرا
camera-pause-key = إيقاف الكاميرا مؤقتًا (P)
camera-resume-key = استئناف الكاميرا (P)

face-looking = جارٍ البحث عن وجه …
face-none = لا وجه. ادخل في الصورة.
face-one = وجهك في الصورة.
face-several = عدة وجوه: يُستخدم أكبرها.
face-dark = الظلام لا يسمح برؤية شيء. أضئ المكان، أو اكشف الكاميرا.
face-too-slow = وجهك في الصورة، لكن ما يُفحص من الإطارات في الثانية قليل جدًا: لا تنتج عنه مقاطع.
face-too-small = وجهك صغير جدًا في الصورة لعمل مقاطع. اقترب.
face-cut = جزء كبير من وجهك خارج الصورة فلا تصلح للمقاطع. تحرّك إلى الوسط.
face-turned = وجهك مستدير أكثر مما يصلح للمقاطع. انظر نحو الكاميرا.
face-too-dark = وجهك مظلم جدًا لعمل مقاطع. أضئ المكان.
face-too-bright = وجهك ساطع جدًا لعمل مقاطع. خفّف الإضاءة.
face-low-contrast = تباين وجهك قليل جدًا لعمل مقاطع. غيّر الإضاءة.
face-blurred = وجهك غير واضح: لا تنتج عنه مقاطع. اثبت، أو نظّف العدسة.
face-camera-off = الكاميرا متوقفة.
face-muted = الكاميرا لا تعطي صورة: يمنعها زرّها أو غطاؤها أو برنامج آخر. وستتابع من تلقاء نفسها.
face-frozen = صورة الكاميرا ثابتة. إذا بقيت كذلك فاختر كاميرا أخرى، أو أوقفها مؤقتًا ثم استأنفها.

## The student's page: clips and updates

clip-kept = { $label } ({ NUMBER($confidence, style: "percent") })، محفوظ؛ { $frames ->
        [zero] بلا إطارات
        [one] إطار واحد
        [two] إطاران
        [few] { $frames } إطارات
        [many] { $frames } إطارًا
       *[other] { $frames } إطار
    }؛ نموذج الفيديو يقول: { $predicted }
clip-held-out = { $label } ({ NUMBER($confidence, style: "percent") })، جانبًا لفحص التدريب؛ { $frames ->
        [zero] بلا إطارات
        [one] إطار واحد
        [two] إطاران
        [few] { $frames } إطارات
        [many] { $frames } إطارًا
       *[other] { $frames } إطار
    }؛ نموذج الفيديو يقول: { $predicted }
clip-low-confidence = { $label } ({ NUMBER($confidence, style: "percent") })، مستبعد؛ { $frames ->
        [zero] بلا إطارات
        [one] إطار واحد
        [two] إطاران
        [few] { $frames } إطارات
        [many] { $frames } إطارًا
       *[other] { $frames } إطار
    }؛ نموذج الفيديو يقول: { $predicted }
clip-disagreement = { $label } ({ NUMBER($confidence, style: "percent") })، مستبعد لأن النموذجين مختلفان؛ { $frames ->
        [zero] بلا إطارات
        [one] إطار واحد
        [two] إطاران
        [few] { $frames } إطارات
        [many] { $frames } إطارًا
       *[other] { $frames } إطار
    }؛ نموذج الفيديو يقول: { $predicted }
clip-too-short = { $label } ({ NUMBER($confidence, style: "percent") })، مستبعد لأنه قصير جدًا؛ { $frames ->
        [zero] بلا إطارات
        [one] إطار واحد
        [two] إطاران
        [few] { $frames } إطارات
        [many] { $frames } إطارًا
       *[other] { $frames } إطار
    }؛ نموذج الفيديو يقول: { $predicted }

drops-clips = مقاطع مستبعدة: { $reasons }.
drops-frames = إطارات غير مستخدمة: { $reasons }.
drop-low-confidence = لم يكن أي شعور واضحًا بما يكفي ({ $count })
drop-disagreement = اختلف النموذجان ({ $count })
drop-too-short = إطارات جيدة قليلة جدًا ({ $count })
drop-face-too-small = الوجه صغير جدًا ({ $count })
drop-face-cut = الوجه مقطوع ({ $count })
drop-face-turned = الوجه مستدير ({ $count })
drop-too-dark = مظلم جدًا ({ $count })
drop-too-bright = ساطع جدًا ({ $count })
drop-low-contrast = تباين قليل جدًا ({ $count })
drop-blurred = غير واضح ({ $count })

label-health = آخر المقاطع ({ $clips }): { NUMBER($accepted, style: "percent") } واضح بما يكفي للتعلّم منه، متوسط الثقة { NUMBER($confidence, style: "percent") }، توازن المشاعر { NUMBER($balance, style: "percent") }.
label-collapse = الإسهام متوقف مؤقتًا: تصنيف { NUMBER($share, style: "percent") } من مقاطعك الأخيرة هو «{ $emotion }». والنموذج الذي يتعلّم منها ينسى المشاعر الأخرى. وسيتابع من تلقاء نفسه عندما تتنوّع التصنيفات أكثر.

round-open = الجولة { $round } مفتوحة: وصلت { $received } من { $needed } من التحديثات. ويحتاج تحديثك إلى { $clips ->
        [zero] صفر من المقاطع المحفوظة
        [one] مقطع محفوظ واحد
        [two] مقطعين محفوظين
        [few] { $clips } مقاطع محفوظة
        [many] { $clips } مقطعًا محفوظًا
       *[other] { $clips } مقطع محفوظ
    }.
round-none = لا توجد جولة مفتوحة.
training-progress = التدريب على { $clips ->
        [zero] صفر من المقاطع
        [one] مقطع واحد
        [two] مقطعين
        [few] { $clips } مقاطع
        [many] { $clips } مقطعًا
       *[other] { $clips } مقطع
    }: الخطوة { $step } من { $steps }، الخسارة { NUMBER($loss, minimumFractionDigits: 3, maximumFractionDigits: 3) }
training-paused-hidden = التدريب متوقف مؤقتًا ما دامت علامة التبويب هذه مخفية. وسيتابع من تلقاء نفسه.
training-paused-battery = التدريب متوقف مؤقتًا: البطارية ضعيفة. وسيتابع من تلقاء نفسه عندما تُشحن.

kept-clips-back = عاد من قبل: للتعلّم { $training ->
        [zero] لا مقاطع
        [one] مقطع واحد
        [two] مقطعان
        [few] { $training } مقاطع
        [many] { $training } مقطعًا
       *[other] { $training } مقطع
    }، وجانبًا { $held_out }.
kept-clips-no-encryption = مقاطعك: لا يستطيع هذا المتصفح تشفيرها، فلا يُحفظ شيء منها عند إعادة التحميل.
kept-clips-storage-full = مقاطعك: لا يخزّن المتصفح المزيد، فلا تُحفظ عند إعادة التحميل.
kept-clips-undecryptable = مقاطعك: لم يعد ممكنًا فك تشفير السابقة، وقد حُذفت.
kept-clips-malformed = مقاطعك: لم تعد قراءة السابقة ممكنة، وقد حُذفت.
kept-clips-schema = مقاطعك: السابقة كتبتها نسخة أخرى، وقد حُذفت.
kept-clips-other-participant = مقاطعك: السابقة كانت لمشارك آخر، وقد حُذفت.
kept-clips-other-backbone = مقاطعك: السابقة من نموذج صور آخر، وقد حُذفت.

update-sending = جارٍ إرسال تحديث الجولة { $round } ({ NUMBER($kilobytes, maximumFractionDigits: 0) } كيلوبايت) …
update-acknowledged = وصل تحديثك للجولة { $round } ({ NUMBER($kilobytes, maximumFractionDigits: 0) } كيلوبايت، { $clips ->
        [zero] لا مقاطع
        [one] مقطع واحد
        [two] مقطعان
        [few] { $clips } مقاطع
        [many] { $clips } مقطعًا
       *[other] { $clips } مقطع
    }).
update-refused = لم يُقبل تحديث الجولة { $round }: { $reason }
update-withheld = لن يُرسَل تحديثك للجولة { $round }: فهو يجعل النموذج أسوأ على المقاطع الموضوعة جانبًا ({ $clips }): الخسارة { NUMBER($after, minimumFractionDigits: 4, maximumFractionDigits: 4) } بدلًا من { NUMBER($before, minimumFractionDigits: 4, maximumFractionDigits: 4) }.
update-withdrawn = الإسهام متوقف: لم يُرسَل تحديث الجولة { $round }، وقد حُذف.
update-withdrawn-late = الإسهام متوقف: حُذف تحديث الجولة { $round } هنا، لكنه ربما وصل قبل ذلك.

## The student's page: what left the tab

ledger-empty = لا شيء بعد.
ledger-one = طلب واحد، { $bytes } بايت.
ledger-totals = { $requests } من الطلبات، { $bytes } بايت في المجموع.
ledger-totals-newest = { $requests } من الطلبات، { $bytes } بايت في المجموع. تُعرض أحدث { $shown } منها.
ledger-entry = { DATETIME($time, dateStyle: "medium", timeStyle: "short") }: { $payload }؛ { $request }، { $bytes } بايت. { $outcome }.
ledger-join-code = رمز الانضمام
ledger-token = رمز الدخول
ledger-update = تحديث الجولة { $round } وعدد مقاطعه ({ $clips })
ledger-update-metrics = تحديث الجولة { $round } وعدد مقاطعه ({ $clips }) وأرقام عن التسمية
ledger-under-way = لا جواب بعد
ledger-acknowledged = تم التأكيد
ledger-refused = رُفض بالحالة { $status }
ledger-no-answer = لم يأتِ جواب: ربما وصل
ledger-aborted = قُطع: ربما وصل

## Where models run

backend-report = { $place }: { $reason }. يستغرق الإطار الواحد { NUMBER($ms, maximumFractionDigits: 0) } مللي ثانية.
video-model-report = { $place }: { $reason }.
place-webgpu = WebGPU
place-webgpu-adapter = WebGPU ({ $adapter })
place-cpu = المعالج (CPU)
place-cpu-simd = المعالج (CPU) مع SIMD
place-cpu-cores = المعالج (CPU) مع SIMD، عدد الأنوية { $cores }
backend-chosen-webgpu = اختير WebGPU
backend-chosen-cpu = اختير المعالج
backend-no-webgpu = ليس في هذا المتصفح WebGPU
backend-no-adapter = لا يجد WebGPU بطاقة رسوميات
backend-limits = حدود بطاقة الرسوميات دون القيم الافتراضية في WebGPU
backend-limits-named = حدود بطاقة الرسوميات { $adapter } دون القيم الافتراضية في WebGPU
backend-software = بطاقة الرسوميات برنامج لا عتاد
backend-software-named = بطاقة الرسوميات { $adapter } برنامج لا عتاد
backend-measured-webgpu = WebGPU أسرع: { NUMBER($webgpu, maximumFractionDigits: 0) } مللي ثانية للإطار على WebGPU، و{ NUMBER($cpu, maximumFractionDigits: 0) } مللي ثانية على المعالج
backend-measured-cpu = المعالج أسرع: { NUMBER($webgpu, maximumFractionDigits: 0) } مللي ثانية للإطار على WebGPU، و{ NUMBER($cpu, maximumFractionDigits: 0) } مللي ثانية على المعالج
backend-load-failed = النموذج الأساسي لا يُحمَّل على WebGPU: { $failure }
backend-webgpu-lost = فُقد WebGPU ({ $failure })، وتولّى المعالج العمل
video-no-webgpu = النموذج الأساسي لا يعمل على WebGPU
video-measured = { NUMBER($webgpu, maximumFractionDigits: 0) } مللي ثانية لخطوة التدريب على WebGPU، و{ NUMBER($cpu, maximumFractionDigits: 0) } مللي ثانية على المعالج
video-deviates = حساب WebGPU خاطئ هنا
video-deviates-by = حساب WebGPU خاطئ هنا، بما يصل إلى { NUMBER($deviation, style: "percent", minimumFractionDigits: 1, maximumFractionDigits: 1) }
video-architecture = بنيته تعمل إلى جانب النموذج الأساسي
video-failed = تعطّل WebGPU ({ $failure })
failure-script = نصّه البرمجي لا يُحمَّل
failure-stopped = توقّف عامله{ $detail }
failure-silent = لا جواب منذ { $seconds } ثانية
failure-device-lost = فُقد جهازه{ $detail }
failure-failed = تعطّل عامله{ $detail }

## Problems of the session

way-reload = أعد تحميل الصفحة؛ وإن لم ينفع ذلك فأخبر معلّمك.
way-reload-on = أعد تحميل الصفحة للمتابعة.
way-other-link = اطلب من مدرّسك رابط صف آخر.
way-reload-fits = أعد تحميل الصفحة للحصول على النسخة المناسبة.
way-reload-newest = أعد تحميل الصفحة للحصول على أحدث نسخة؛ وإن لم ينفع ذلك فأخبر معلّمك.
way-keeps-trying = تواصل الصفحة المحاولة من تلقاء نفسها.
way-retries-in = ستحاول الصفحة مجددًا من تلقاء نفسها، بعد { $seconds } ثانية.
way-leave-private = غادر التصفح الخاص إن أردت المتابعة بعد إعادة التحميل.
way-check-connection = تحقّق من الاتصال، ثم أعد تحميل الصفحة؛ وإن بقي الأمر فأخبر معلّمك.
way-close-tabs = أغلق علامات تبويب أخرى لتحرير الذاكرة، ثم أعد تحميل الصفحة.
way-pause = أوقف الكاميرا مؤقتًا ثم استأنفها.
way-pause-or-choose = أوقف الكاميرا مؤقتًا ثم استأنفها، أو اختر كاميرا أخرى.
way-check-code = تحقّق من الرمز مع معلّمك وأدخله مجددًا.
way-join-again = أعد تحميل الصفحة وانضم مجددًا.
way-tell-instructor = أخبر معلّمك. وتواصل الصفحة المحاولة من تلقاء نفسها.
way-current-browser = استخدم متصفحًا حديثًا.
way-clear-data = احذف بيانات هذا الموقع من إعدادات المتصفح.

problem-storage = لا يحفظ هذا المتصفح شيئًا على الجهاز، فتبدأ إعادة التحميل من الصفر.
problem-panicked = توقّف عامل الجلسة{ $detail }.
problem-unreachable = المُجمِّع لا يجيب{ $detail }.
problem-timed-out = لم يُجب المُجمِّع خلال { $seconds } ثانية.
problem-malformed = جواب المُجمِّع غير مفهوم{ $detail }.
problem-ended = انتهى هذا الصف.
problem-protocol = يتحدث المُجمِّع النسخة { $aggregator } من البروتوكول، وهذه الصفحة النسخة { $page }.
problem-altered-backbone = وصل ملف أوزان النموذج الأساسي محرَّفًا مرتين.
problem-altered-detector = وصل ملف أوزان كاشف الوجوه محرَّفًا مرتين.
problem-altered-vfer = وصل ملف أوزان نموذج الفيديو محرَّفًا مرتين.
problem-weights = الأوزان غير مناسبة{ $detail }.
problem-model = تعطّل نموذج{ $detail }.
problem-training = فشل التدريب{ $detail }.
problem-backbone = لا يمكن تشغيل النموذج الأساسي: { $failure }.
problem-extractor = البرنامج الذي يشغّل النماذج لا يُحمَّل: { $failure }.
problem-video-model = لا يمكن تشغيل نموذج الفيديو: { $failure }.
problem-architecture = لا تستطيع هذه الصفحة تشغيل نموذج الفيديو الخاص بالاتحاد{ $detail }.
problem-frame = لا يمكن قراءة صورة الكاميرا{ $detail }.
problem-frames = لا يمكن قراءة صور الكاميرا{ $detail }.
problem-frame-small = صورة الكاميرا { $width } × { $height } بكسل فقط، والمطلوب { $minimum } في كل اتجاه.
problem-no-workers = لا يشغّل هذا المتصفح عاملًا للصفحة.
problem-stopped-twice = توقّفت النماذج مرتين ({ $failure }).
problem-not-loaded = البرنامج الذي يشغّل النماذج لا يُحمَّل ({ $failure }).
problem-not-deleted = لم يقبل المتصفح حذف ما خزّنته هذه الصفحة على الجهاز.

refusal-join-code = لا صف له هذا الرمز.
refusal-unauthorized = لا يعرف المُجمِّع هذا المشارك، أو لم يعد يعرفه.
refusal-stale = نُشر في هذه الأثناء نموذج أحدث.
refusal-no-round = لم تعد الجولة تقبل تحديثات.
refusal-received = هناك تحديث آخر لهذا المشارك محسوب في هذه الجولة.
refusal-too-large = التحديث أكبر من أي تحديث لهذا النموذج.
refusal-bad-update = التحديث ليس لهذا النموذج، أو هو تغيير كبير جدًا.
refusal-bad-update-at = التحديث ليس لهذا النموذج، أو هو تغيير كبير جدًا (عند { $tensor }).
refusal-bad-request = لا يفهم المُجمِّع ما تطلبه هذه الصفحة.
refusal-rate = جاءت من هنا طلبات كثيرة جدًا.
refusal-rate-wait = جاءت من هنا طلبات كثيرة جدًا؛ ويطلب المُجمِّع الانتظار { $seconds } ثانية.
refusal-not-found = ليس لدى المُجمِّع ما تطلبه هذه الصفحة.
refusal-conflict = لا يستطيع المُجمِّع فعل هذا الآن: ربما اكتمل الصف.
refusal-storage = لا يستطيع المُجمِّع تخزين شيء في الوقت الحالي.
refusal-damaged = هناك ملف تالف على قرص المُجمِّع.
refusal-internal = تعطّل المُجمِّع.

## Joining, leaving, other tabs, the connection

loading-backbone = جارٍ تحميل النموذج الأساسي ({ NUMBER($megabytes, minimumFractionDigits: 1, maximumFractionDigits: 1) } ميغابايت) …
loading-detector = جارٍ تحميل كاشف الوجوه ({ NUMBER($megabytes, minimumFractionDigits: 1, maximumFractionDigits: 1) } ميغابايت) …
loading-vfer = جارٍ تحميل نموذج الفيديو ({ NUMBER($megabytes, minimumFractionDigits: 1, maximumFractionDigits: 1) } ميغابايت) …
connection-offline = المُجمِّع لا يجيب. ما يعمل هنا يواصل عمله، ولا يضيع شيء.
connection-retry = { " " }محاولة جديدة بعد { $seconds } ثانية.
tab-follows = علامة تبويب أخرى في هذا المتصفح موجودة في الصف، ومعها الكاميرا والنماذج.
tab-waits = بانتظار أن تُنهي علامة التبويب الأخرى ما ترسله …
tab-hands-over = علامة التبويب هذه تسلّم إلى أخرى …
tab-nothing-left = أُغلقت علامة التبويب الأخرى ولم تترك شيئًا على هذا الجهاز: إما أنها لم تكن قد انضمت بعد، أو أنك أردت هناك أن تُنسى. لذلك تسألك علامة التبويب هذه مجددًا.
ended-left = الكاميرا متوقفة. لن يُحسب شيء ولن يُرسَل بعد الآن.
ended-follower = لا يُحسب شيء في علامة التبويب هذه ولا يُرسَل.
ended-elsewhere = أردت أن تُنسى، في علامة تبويب أخرى. لن يُحسب هنا شيء ولن يُرسَل بعد الآن.
ended-deleted = حُذف كل ما خزّنته هذه الصفحة على الجهاز، والكاميرا متوقفة.
token-ended = { " " }أنهى المُجمِّع رمز دخول هذا المشارك.
token-lost = { " " }لم يُجب المُجمِّع، ولا يزال لديه رمز دخول هذا المشارك؛ ولم يعد أحد يستطيع استخدامه.

## The global model

model-version = النموذج { $version }
model-bootstrap = النسخة { $version }، بداية مستخلصة من نموذج الصور: ليست نتيجة بعد
model-synthetic = النسخة { $version }، مدرَّبة على مقاطع مصطنعة: ليست نتيجة بعد
model-trained-on = النسخة { $version }، مدرَّبة على تصويت الناس على وجوه أو مقاطع، عددها { $clips } ({ $dataset })
model-trained = النسخة { $version }، مدرَّبة على مقاطع مصنَّفة
model-unknown = النسخة { $version }
model-federated = النسخة { $version }، صُنعت{ $parent }{ $round } بإسهام { $clients ->
        [zero] لا أحد
        [one] طالب واحد
        [two] طالبين
        [few] { $clients } طلاب
        [many] { $clients } طالبًا
       *[other] { $clients } طالب
    }
model-federated-clips = النسخة { $version }، صُنعت{ $parent }{ $round } بإسهام { $clients ->
        [zero] لا أحد
        [one] طالب واحد
        [two] طالبين
        [few] { $clients } طلاب
        [many] { $clients } طالبًا
       *[other] { $clients } طالب
    }، بعدد مقاطع { $clips }
model-from-version = { " " }من النسخة { $version }
model-in-round = { " " }في الجولة { $round }
model-personal = . ما يُعرض هنا من رأس خاص بك، من آخر مقاطعك ({ $clips })؛ وهو لا يغادر علامة التبويب هذه أبدًا
origin-bootstrap = انطلاق (بداية، لا نتيجة)
origin-synthetic = مدرَّب على مقاطع مصطنعة
origin-trained-on = مدرَّب على { $dataset }
origin-trained = مدرَّب
origin-restored = مستعاد
origin-round = الجولة { $round }
model-clips-untold = غير مذكور
model-held-out = { NUMBER($before, minimumFractionDigits: 3, maximumFractionDigits: 3) } ← { NUMBER($after, minimumFractionDigits: 3, maximumFractionDigits: 3) }

## The instructor's page: markup

desk-title = emofed: المعلّم
desk-heading = المعلّم
desk-unsupported = لا يستطيع هذا المتصفح تشغيل الصفحة. فهي تحتاج إلى WebAssembly: نسخة حديثة من Chromium أو Firefox أو Safari.
sign-in-title = رمز دخول المعلّم
sign-in-help = تجده في الرابط الذي طبعه المُجمِّع عند بدئه.
sign-in-token = رمز الدخول
sign-in-go = متابعة
invite-title = دعوة الطلاب
invite-code = وزّع هذا الرابط. والرمز الذي فيه هو <code></code>.
invite-link =
    .aria-label = رابط للطلاب
invite-renew = إنشاء رمز جديد
invite-help = سترى كم علامة تبويب متصلة وكم مشاركًا أسهم. ولا شيء هنا، ولا في أي مكان على هذا الجهاز، يدل على ما رأته كاميرا أي طالب أو ما قالته النماذج عنه. وقد يسمح الطلاب بأن ترافق التحديث ثلاثةُ أرقام مقرّبة عن التسمية؛ وترى متوسط خمسة أو أكثر.
round-title = الجولة
round-connected = علامات تبويب ظاهرة
round-participants = انضموا حتى الآن
round-open-button = فتح جولة
round-close-button = إغلاقها الآن
settings-title = الإعدادات
settings-minimum = أقل عدد من التحديثات تحتاج إليه الجولة
settings-target = إغلاق الجولة عند وصول هذا العدد من التحديثات
settings-duration = إنهاء الجولة بعد دقائق
settings-continuous = فتح الجولة التالية تلقائيًا
settings-save = حفظ
settings-help = يسري مع الجولة التالية.
participants-title = المشاركون
participants-summary = معرّفات عشوائية، يذكرها سجل المُجمِّع عندما يرفض تحديثًا
participants-table =
    .aria-label = جدول المشاركين
column-id = المعرّف
column-joined = وقت الانضمام
column-action = إجراء
models-title = النماذج العامة
models-table =
    .aria-label = جدول النماذج
column-version = النسخة
column-parent = صُنعت من
column-origin = الأصل
column-clients = المشاركون
column-clips = المقاطع
column-held-out = قيمة F1 الكلية على المقاطع المحجوزة
column-published = وقت النشر
rounds-title = الجولات
rounds-table =
    .aria-label = جدول الجولات
column-round = الجولة
column-base = على النسخة
column-updates = التحديثات
column-opened = وقت الفتح
column-state = الحالة
confirm-yes = نعم
confirm-no = لا

## The instructor's page: the code's

desk-federation = { $federation }: المعلّم
desk-unauthorized-way = افتح رابط المعلّم الذي طبعه المُجمِّع عند بدئه.
desk-nothing-changed = لم يتغيّر شيء.
desk-no-answer = المُجمِّع لا يجيب.
desk-no-answer-way = شغّل المُجمِّع مجددًا؛ وستتابع هذه الصفحة من تلقاء نفسها.
desk-offline = المُجمِّع لا يجيب. وتواصل هذه الصفحة المحاولة.
desk-joining-ends = يستطيع الطلاب الانضمام به حتى { DATETIME($time, dateStyle: "medium", timeStyle: "short") }.
desk-round = الجولة { $round } مفتوحة على النسخة { $version }: وصلت { $received } من { $needed } من التحديثات. وتنتهي في { DATETIME($deadline, dateStyle: "medium", timeStyle: "short") } على الأكثر.
ask-close = هل تُغلق الجولة { $round } الآن؟ سيُحسب متوسط التحديثات الموجودة ويُنشر.
ask-restore = هل تصبح النسخة { $version } النموذج العام من جديد؟ ستنتقل إليها كل علامات التبويب، وتُترك الجولة المفتوحة.
ask-renew = هل يُنشأ رمز انضمام جديد؟ لن ينضم أحد بعد الآن بالرمز القديم وروابطه؛ ويبقى من انضم.
ask-revoke = هل يُلغى المشارك { $id }؟ لن تستطيع علامة تبويبه إرسال شيء إلا إذا انضمت مجددًا برمز الانضمام.
desk-restore = الرجوع إلى النسخة { $version }
desk-current = الحالية
desk-revoke = إلغاء { $id }
desk-copy = نسخ
desk-copied = تم النسخ
desk-saved = تم الحفظ.
phase-open = مفتوحة
phase-aggregating = جارٍ حساب المتوسط
phase-evaluating = جارٍ الفحص
phase-published = نُشرت باسم النسخة { $version }
phase-rejected = رُفضت: { $reason }
phase-abandoned = تُركت
phase-abandoned-few = تُركت: { $found } من { $needed } من التحديثات التي تحتاجها
phase-abandoned-strategy = تُركت: { $found } من { $needed } من التحديثات التي تحتاجها الاستراتيجية { $strategy }
phase-abandoned-worse = تُركت: عند معظم الطلاب المشاركين بأرقامهم ({ $clients }) زاد الإصدار { $version } الخطأ على مقاطعهم بأكثر من { $limit }؛ وأُعيد نشر الإصدار { $restored }
phase-abandoned-replaced = تُركت: أصبح نموذج آخر هو النموذج العام
phase-unknown = أعد تحميل الصفحة لترى
rejected-layout = الناتج المجمَّع لا يناسب النموذج
rejected-not-finite = في الناتج المجمَّع قيم ليست أعدادًا
rejected-norm = كان النموذج سيتحرك بمقدار { NUMBER($found, minimumFractionDigits: 3, maximumFractionDigits: 3) }، وهو أكثر من { NUMBER($limit, minimumFractionDigits: 3, maximumFractionDigits: 3) }
rejected-macro-f1 = كانت قيمة F1 الكلية على المقاطع المحجوزة من { $dataset } ستنخفض من { NUMBER($before, minimumFractionDigits: 3, maximumFractionDigits: 3) } إلى { NUMBER($found, minimumFractionDigits: 3, maximumFractionDigits: 3) }، بأكثر من { NUMBER($tolerance, minimumFractionDigits: 3, maximumFractionDigits: 3) }
rejected-loss = يفشل النموذج على المقاطع المحجوزة من { $dataset }
rejected-damaged = ما خُزّن منها تالف؛ ويذكر سجل المُجمِّع ما هو
rejected-unspecified = من نسخة سابقة من المُجمِّع، يذكر سجلها السبب
rejected-unknown = أعد تحميل الصفحة لترى السبب

## صفحة الطالب: المنصة والإطار واللوحة

lecture-title = المحاضرة
lecture-open = افتحها في علامة تبويب مستقلة
lecture-full-screen = ملء الشاشة
lecture-video =
    .aria-label = فيديو المحاضرة
lecture-document =
    .title = مستند المحاضرة
lecture-page =
    .title = صفحة المحاضرة
lecture-not-loaded = المحاضرة لا تُحمَّل. اسأل معلمك؛ وبقية هذه الصفحة تعمل بدونها.
picture-previous = السابق
picture-next = التالي
picture-count = الصورة { $number } من { $count }
preview-start = جرّب الكاميرا
preview-stop = أوقف الكاميرا
preview-help = صورة لك وحدك: لا يُحسب منها شيء قبل أن تنضم.
tile-fold = طيّ
tile-unfold = إظهار
panel-toggle = النماذج والخصوصية
panel-title = النماذج والخصوصية
panel-close = إغلاق

## صفحة الطالب: الخط الزمني

timeline-title = خطك الزمني
timeline-help = ما قالته النماذج في هذه الجلسة. إنه في ذاكرة هذه الصفحة وحدها: لا يراه أحد غيرك، ويزول عند إغلاق الصفحة.
timeline-model = النموذج
timeline-image = نموذج الصورة، لكل إطار
timeline-video = نموذج الفيديو، لكل مقطع
timeline-window = الوقت المعروض
timeline-2-minutes = آخر دقيقتين
timeline-15-minutes = آخر 15 دقيقة
timeline-all = الجلسة كلها
timeline-empty = لا شيء بعد: يبدأ مع أول وجه.
timeline-cursor =
    .aria-label = نقطة زمنية
timeline-table = كجدول
timeline-table-region =
    .aria-label = جدول الخط الزمني
timeline-time = الوقت
timeline-record = الاحتفاظ بخط زمني
timeline-export = تصدير بصيغة CSV
timeline-clear = مسح
clock-time = { DATETIME($time, timeStyle: "medium") }
timeline-read-out = { $time }: { $emotions }. { $clip }
timeline-no-face = { $time }: لا وجه. { $clip }
timeline-emotion = { $emotion } { $share }
timeline-clip-kept = المقطع: { $label }.
timeline-clip-dropped = المقطع: { $label }، مستبعد.
timeline-clip-struck-out = المقطع: { $label }، مشطوب.

## صفحة الطالب: المقاطع التي يعدّلها الطالب، والإعدادات، ووقت الجولة

clips-help = التصنيفات هي ما يقوله نموذج الصورة. قبل التعلم من مقطع يمكنك تصحيح تصنيفه أو شطبه.
clip-label =
    .aria-label = تصنيف هذا المقطع
clip-strike-out = شطب
clip-corrected = صُحّح إلى { $label }.
clip-struck-out = شُطب: لن يُستخدم.
clip-not-edited = فات الأوان: هذا المقطع في تحديث أُرسل، أو لم يعد موجودًا.
label-counts = المحتفظ بها حسب التصنيف: { $counts }.
label-count = { $label } { $count }
settings-title = الإعدادات
frame-rate-label = الإطارات في الثانية
frame-rate-class = كما يطلب الصف
frame-rate-5 = 5 على الأكثر
frame-rate-2 = 2 على الأكثر
theme-label = المظهر
theme-device = كما في هذا الجهاز
theme-light = فاتح
theme-dark = داكن
theme-contrast = تباين عالٍ
round-ends-soon = تنتهي الجولة في أقل من دقيقة.
round-time-left = { $minutes ->
        [zero] تنتهي الجولة في أقل من دقيقة.
        [one] تنتهي الجولة بعد دقيقة واحدة.
        [two] تنتهي الجولة بعد دقيقتين.
        [few] تنتهي الجولة بعد { $minutes } دقائق.
        [many] تنتهي الجولة بعد { $minutes } دقيقة.
       *[other] تنتهي الجولة بعد { $minutes } دقيقة.
    }
training-time-left = { $seconds ->
        [zero] بقي أقل من ثانية.
        [one] بقيت ثانية واحدة تقريبًا.
        [two] بقيت ثانيتان تقريبًا.
        [few] بقيت { $seconds } ثوانٍ تقريبًا.
        [many] بقيت { $seconds } ثانية تقريبًا.
       *[other] بقيت { $seconds } ثانية تقريبًا.
    }
effect-better = الإصدار { $version } يناسب مقاطعك الموضوعة جانبًا ({ $clips }) أفضل من الإصدار السابق: الخسارة { NUMBER($before, maximumFractionDigits: 3) } ← { NUMBER($after, maximumFractionDigits: 3) }.
effect-worse = الإصدار { $version } يناسب مقاطعك الموضوعة جانبًا ({ $clips }) أسوأ من الإصدار السابق: الخسارة { NUMBER($before, maximumFractionDigits: 3) } ← { NUMBER($after, maximumFractionDigits: 3) }.
ledger-look-inside = ما كان فيه
ledger-download = تنزيله كما أُرسل
ledger-no-body = لم يعد محفوظًا: تُحفظ آخر خمسة فقط.
ledger-tensor-figures = { $name }, { $shape }: المعيار { NUMBER($norm, maximumSignificantDigits: 3) }، الأكبر { NUMBER($largest, maximumSignificantDigits: 3) }
ledger-metrics = أرقام عن التسمية: حُفظ { NUMBER($accepted, style: "percent") } من المقاطع، وتساوي توزّع المشاعر { NUMBER($balance, maximumFractionDigits: 2) }
ledger-metrics-change = أرقام عن التسمية: حُفظ { NUMBER($accepted, style: "percent") } من المقاطع، وتساوي توزّع المشاعر { NUMBER($balance, maximumFractionDigits: 2) }، وتغيّر الخسارة { NUMBER($change, maximumFractionDigits: 2) }
ledger-histogram =
    .aria-label = مدرّج تكراري لقيمه، من الأكثر سلبية إلى الأكثر إيجابية

## The instructor's page: round, invitation, lecture, versions, log and report

round-model = النموذج العام
meter-updates = التحديثات الواصلة
meter-time = الوقت المتبقي
invite-show = العرض على الصف
statement-summary = البيان الذي يراه الطلاب قبل الانضمام
statement-missing = لا يوجد بيان: لا يجوز لهذا المُجمِّع أن يخدم غير هذا الجهاز. اكتب في إعداداته ثم شغّله من جديد:
stage-title = المحاضرة
stage-kind-label = ما يراه الطلاب بجانب كاميراتهم
stage-kind-none = لا شيء
stage-kind-video = مقطع فيديو
stage-kind-document = مستند PDF
stage-kind-pictures = صور، واحدة تلو الأخرى
stage-kind-page = صفحة أخرى، مثل اجتماع
stage-address-label = العنوان
stage-addresses-label = العناوين، واحد في كل سطر
stage-files =
    .aria-label = ملفات مجلد المحاضرات
stage-put = العرض على المنصة
stage-hint = لا يجوز عرض شيء بعد: لا تذكر الإعدادات مجلدًا لملفات المحاضرات، ولا أصلًا يجوز عرض صفحاته.
log-title = ما حدث
log-empty = لا شيء منذ فتح هذه الصفحة.
report-button = تنزيل تقرير الجلسة
report-help = ملف واحد للحفظ أو الطباعة: الاتحاد والإعدادات والجولات والنماذج وهذه القائمة. وليس فيه أي مشارك ولا أي نتيجة فردية.
lineage =
    .aria-label = نسب النسخ؛ اختر واحدة بمفاتيح الأسهم
figure-macro-f1 = قيمة F1 الكلية على المقاطع المحجوزة
figure-acceptance = المقاطع المحفوظة في الصف
figure-balance = تساوي توزّع المشاعر في الصف
figure-loss = الخسارة على المقاطع المحجوزة
figure-cursor-f1 =
    .aria-label = النسخة، في مخطط قيمة F1 الكلية
figure-cursor-acceptance =
    .aria-label = النسخة، في مخطط المقاطع المحفوظة
figure-cursor-balance =
    .aria-label = النسخة، في مخطط تساوي التوزّع
figure-cursor-loss =
    .aria-label = النسخة، في مخطط الخسارة
column-loss = الخسارة على المقاطع المحجوزة
settings-minimum-help = تُترك الجولة التي يصل إليها أقل من ذلك عند نهايتها، ويحتفظ الطلاب بمقاطعهم للجولة التالية. وكلما زادت التحديثات خفي كل منها أكثر. والثلاثة هي الحد الأدنى: فمن اثنين يستطيع كل منهما أن يستنتج تحديث الآخر.
settings-target-help = أقل من عدد الطلاب، كي لا ينتظر أحد أبطأهم؛ ومن يتأخر يحتفظ بمقاطعه للجولة التالية. وما دام العدد أقل تستمر الجولة حتى نهايتها. ولا يقل أبدًا عن العدد الذي فوقه.
settings-duration-help = الجولة التي لم يصلها ما يكفي من التحديثات حتى ذلك الوقت تُترك، ويبقى النموذج كما هو.
settings-continuous-help = عند الإيقاف: لا يتغير النموذج إلا عندما تفتح جولة.
class-close = إغلاق
class-code = رمز الانضمام
round-stands = الجولة { $round }: { $phase }.
round-received = { $received } من { $needed }
round-countdown = { NUMBER($minutes, minimumIntegerDigits: 2) }:{ NUMBER($seconds, minimumIntegerDigits: 2) }
round-countdown-hours = { $hours }:{ NUMBER($minutes, minimumIntegerDigits: 2) }:{ NUMBER($seconds, minimumIntegerDigits: 2) }
round-too-few = يمكن إغلاقها مبكرًا عندما يصل عدد التحديثات إلى { $needed }.
qr-code = رمز QR لرابط الطلاب: { $link }
stage-now = على المنصة: { $lecture }.
stage-is-video = الفيديو { $address }
stage-is-document = المستند { $address }
stage-is-page = الصفحة { $address }
stage-is-pictures = صور ({ $count })
stage-help-files = عناوين ملفات مجلد المحاضرات هي lecture/NAME.
stage-help-both = عناوين ملفات مجلد المحاضرات هي lecture/NAME؛ ويجوز أن تكون العناوين الكاملة من { $origins }.
stage-help-origins = عنوان كامل، من { $origins }.
stage-address-missing = اكتب عنوانًا، أو اختر ملفًا.
settings-out-of-range = اكتب عددًا صحيحًا من { $least } إلى { $most }.
version-described = النسخة { $version } ({ $origin })، نُشرت في { DATETIME($time, dateStyle: "medium", timeStyle: "short") }.
version-restored = النسخة { $version } تكرر النسخة { $restored }، منذ { DATETIME($time, dateStyle: "medium", timeStyle: "short") }.
version-figures = { " " }على المقاطع المحجوزة من { $dataset } وعددها { $clips }: قيمة F1 الكلية من { NUMBER($f1before, minimumFractionDigits: 3, maximumFractionDigits: 3) } إلى { NUMBER($f1after, minimumFractionDigits: 3, maximumFractionDigits: 3) }، والخسارة من { NUMBER($lossbefore, minimumFractionDigits: 3, maximumFractionDigits: 3) } إلى { NUMBER($lossafter, minimumFractionDigits: 3, maximumFractionDigits: 3) }.
version-metrics = { " " }من { $clients } من الطلاب الذين أخبروا: حُفظ { NUMBER($accepted, style: "percent") } من المقاطع، وتساوي توزّع المشاعر { NUMBER($balance, maximumFractionDigits: 2) }.
version-metrics-change = { " " }على مقاطعهم هم غيّرت النسخة { $parent } الخسارة بمقدار { NUMBER($change, maximumFractionDigits: 2) }.
version-current = { " " }وهي النموذج العام الآن.
figure-short = { NUMBER($value, minimumFractionDigits: 3, maximumFractionDigits: 3) }
# Within a chart, which runs from the left to the right in every language.
figure-f1-change = { NUMBER($before, minimumFractionDigits: 2, maximumFractionDigits: 2) } → { NUMBER($after, minimumFractionDigits: 2, maximumFractionDigits: 2) }
figure-change = { NUMBER($before, minimumFractionDigits: 3, maximumFractionDigits: 3) } ← { NUMBER($after, minimumFractionDigits: 3, maximumFractionDigits: 3) }
log-round-opened = فُتحت الجولة { $round } على النسخة { $version }.
log-updates = الجولة { $round }: عدد التحديثات الواصلة { $received }.
log-updates-of = الجولة { $round }: وصلت { $received } من { $needed } من التحديثات.
log-closed = أُغلقت الجولة { $round }.
log-closed-complete = أُغلقت الجولة { $round }: وصلت كل التحديثات المنتظرة.
log-closed-instructor = أغلق المعلّم الجولة { $round }.
log-closed-deadline = أُغلقت الجولة { $round }: انتهى وقتها.
log-published = نُشرت النسخة { $version }.
log-rolled-back = تم الرجوع إلى النسخة { $restored }، باسم النسخة { $version }.
log-code = هناك رمز انضمام جديد.
log-settings = تغيّرت الإعدادات.
log-revoked = أُلغي مشارك.
report-title = { $federation }: تقرير الجلسة
report-made = أُعدّ في { DATETIME($time, dateStyle: "medium", timeStyle: "short") }. ليس في هذا التقرير أي نتيجة فردية ولا أي مشارك: فليس لدى المُجمِّع شيء منها.
