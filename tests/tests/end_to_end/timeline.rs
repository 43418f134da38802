//! The student's own timeline, and labels that the student corrects.

use emofed_tests::e2e::aggregator::Aggregator;
use emofed_tests::e2e::browser::Camera;
use emofed_tests::e2e::camera::Film;
use emofed_tests::e2e::student::Student;
use serde_json::json;

#[tokio::test]
async fn the_timeline_is_read_by_keyboard_and_table_exported_and_cleared() {
    let aggregator = Aggregator::start().await;
    let student = Student::join(aggregator.student_link(), Camera::Granted(Film::Portrait(4))).await;
    let browser = student.browser();
    student.wait_for_clips(2).await;
    let drawn = "[...document.querySelectorAll('#timeline-figure path')].some(p => (p.getAttribute('d') ?? '').length > 20) \
                 && document.querySelectorAll('#timeline-clips rect').length >= 1";
    browser.wait::<bool>("areas and clips in the chart", 20, drawn).await;
    browser.press("#timeline-cursor", "\u{e011}").await;
    let first: String =
        browser.script("return document.querySelector('#timeline-cursor').getAttribute('aria-valuetext')").await;
    assert!(first.contains('%'), "{first}");
    assert_eq!(
        browser
            .script::<String>("return document.querySelector('#timeline-cursor').getAttribute('aria-valuenow')")
            .await,
        "0"
    );
    browser.press("#timeline-cursor", "\u{e014}").await;
    assert_eq!(
        browser
            .script::<String>("return document.querySelector('#timeline-cursor').getAttribute('aria-valuenow')")
            .await,
        "1"
    );
    browser.script::<bool>("document.querySelector('#timeline-table').open = true; return true").await;
    browser
        .wait::<bool>("rows of the table", 10, "document.querySelectorAll('#timeline-rows tr td').length >= 6")
        .await;
    assert!(browser.accessibility_violations().await.is_empty());

    // What would be downloaded, without a download.
    let catch = "globalThis.files = []; const create = URL.createObjectURL;
                 URL.createObjectURL = blob => { blob.text().then(text => files.push(text)); return create(blob); };
                 HTMLAnchorElement.prototype.click = () => {}; return true";
    browser.script::<bool>(catch).await;
    browser.click("#timeline-export").await;
    let csv: String = browser.wait("the export", 10, "globalThis.files[0]").await;
    let mut lines = csv.lines();
    assert!(lines.next().unwrap().starts_with("second,time,image_anger"), "{csv}");
    assert!(lines.next().unwrap().starts_with("0,20"), "{csv}");
    let sent = browser.proxy().exchanges().iter().filter(|exchange| exchange.body.len() > 100).count();
    assert_eq!(sent, 0, "nothing of it is sent");

    browser.click("#timeline-record").await;
    browser.click("#timeline-clear").await;
    browser.wait::<bool>("an empty timeline", 10, "document.querySelector('#timeline-empty').checkVisibility()").await;
    student.wait_for_frames().await;
    assert!(browser.script::<bool>("return document.querySelector('#timeline-empty').checkVisibility()").await);
}

#[tokio::test]
async fn a_label_is_corrected_or_struck_out_until_it_is_sent() {
    let aggregator = Aggregator::start_with(&Aggregator::by_hand()).await;
    let student = Student::join(aggregator.student_link(), Camera::Granted(Film::Portrait(5))).await;
    let browser = student.browser();
    student.wait_for_clips(3).await;
    browser.click("#pause").await;
    let kept = student.clips_kept().await;
    let newest = "[...document.querySelectorAll('#clip-list > li')].filter(li => li.querySelector('select'))";
    let choose = format!(
        "const li = {newest}[0]; li.id = 'corrected'; const s = li.querySelector('select'); s.value = 'fear';
         s.dispatchEvent(new Event('change')); return true"
    );
    browser.script::<bool>(&choose).await;
    browser
        .wait::<bool>("the corrected label", 10, "document.querySelector('#corrected').dataset.edit === 'corrected'")
        .await;
    browser
        .wait::<bool>(
            "the count by label",
            10,
            "/fear [1-9]/.test(document.querySelector('#label-counts').textContent)",
        )
        .await;
    browser
        .script::<bool>(&format!(
            "const li = {newest}[1]; li.id = 'gone'; li.querySelector('button').click(); return true"
        ))
        .await;
    browser
        .wait::<bool>(
            "the clip that is struck out",
            10,
            "document.querySelector('#gone').dataset.edit === 'struck-out'",
        )
        .await;
    assert_eq!(student.clips_kept().await, kept - 1);
    assert!(browser.accessibility_violations().await.is_empty());

    aggregator.instruct("rounds", json!({})).await;
    student.contribute().await;
    student.wait_for_acknowledgement(aggregator.manifest().await.round.unwrap().id).await;
    let update = &student.acknowledged_updates(1)[0];
    assert!(update.num_examples < kept, "{} of {kept}", update.num_examples);
    // What was in the update cannot be changed any more.
    let is_sent = format!("{newest}.length > 0");
    if browser.script::<bool>(&format!("return {is_sent}")).await {
        let late = format!(
            "const li = {newest}.at(-1); li.id = 'late'; const s = li.querySelector('select'); s.value = 'anger';
             s.dispatchEvent(new Event('change')); return true"
        );
        browser.script::<bool>(&late).await;
        browser
            .wait::<bool>(
                "a word that it is too late",
                10,
                "document.querySelector('#late').dataset.edit === 'refused'",
            )
            .await;
    }
    // The ledger opens: tensors with figures, and the update as it was sent.
    browser.script::<bool>("document.querySelector('#ledger').open = true; document.querySelector('#ledger-list details').open = true; return true").await;
    let inside = "document.querySelectorAll('#ledger-list details .histogram').length >= 6";
    browser.wait::<bool>("histograms of the tensors", 10, inside).await;
    assert!(browser.accessibility_violations().await.is_empty());
    let catch = "globalThis.sizes = []; URL.createObjectURL = blob => { sizes.push(blob.size); return 'blob:none'; };
                 HTMLAnchorElement.prototype.click = () => {}; document.querySelector('#ledger-list details button').click(); return true";
    browser.script::<bool>(catch).await;
    let size: u64 = browser.wait("the update as it was sent", 10, "globalThis.sizes[0]").await;
    let sent = browser
        .proxy()
        .exchanges()
        .iter()
        .filter(|exchange| exchange.url.path().ends_with("/update"))
        .map(|exchange| exchange.body.len() as u64)
        .max();
    assert_eq!(Some(size), sent);
}
