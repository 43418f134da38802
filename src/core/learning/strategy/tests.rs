use super::*;

fn read(json: &str) -> Result<Strategy, String> {
    serde_json::from_str(json).map_err(|error| error.to_string())
}

#[test]
fn every_name_survives_a_round_trip() {
    for table in [
        r#"{"name":"fedavg","weighted":true}"#,
        r#"{"name":"fedavg","weighted":false,"clip_norm":0.5}"#,
        r#"{"name":"fedavgm","weighted":true,"momentum":0.9}"#,
        r#"{"name":"fedadam","weighted":true,"learning_rate":0.1,"beta1":0.9,"beta2":0.99,"epsilon":0.001}"#,
        r#"{"name":"median"}"#,
        r#"{"name":"median","momentum":0.5}"#,
        r#"{"name":"trimmed-mean","trim":0.1,"clip_norm":2.0}"#,
        r#"{"name":"krum","byzantine":1}"#,
        r#"{"name":"multi-krum","byzantine":1,"selected":3,"learning_rate":0.1,"beta1":0.9,"beta2":0.99,"epsilon":0.001}"#,
    ] {
        let strategy = read(table).unwrap();
        strategy.check().unwrap();
        assert_eq!(serde_json::to_string(&strategy).unwrap(), table);
    }
    // As stored and configured before there were more than three.
    assert_eq!(read(r#"{"name":"fedavg"}"#).unwrap(), Strategy::default());
    let momentum = ServerOptimizer::Momentum { momentum: 0.9 };
    let expected = Strategy { optimizer: momentum, ..Strategy::default() };
    assert_eq!(read(r#"{"name":"fedavgm","momentum":0.9}"#).unwrap(), expected);
}

#[test]
fn what_is_wrong_is_said_by_name() {
    for (table, words) in [
        (r#"{}"#, "a strategy needs the parameter name"),
        (r#"{"name":"mean"}"#, r#"there is no strategy "mean"; there are fedavg, "#),
        (r#"{"name":"fedavgm"}"#, "fedavgm needs the parameter momentum"),
        (r#"{"name":"krum","byzantine":1,"selected":2}"#, "selected is no parameter of krum"),
        (r#"{"name":"median","weighted":true}"#, "weighted is no parameter of median"),
        (r#"{"name":"median","beta1":0.1}"#, "beta1 is no parameter of median"),
        (r#"{"name":"median","momentum":0.1,"learning_rate":0.1}"#, "learning_rate is no parameter of median"),
        (r#"{"name":"fedavg","momentum":0.1}"#, "momentum is no parameter of fedavg"),
        (r#"{"name":"multi-krum","byzantine":1}"#, "multi-krum needs the parameter selected"),
        (r#"{"name":"median","size":1}"#, "unknown field `size`"),
    ] {
        let error = read(table).unwrap_err();
        assert!(error.contains(words), "{table}: {error}");
    }
    for (table, words) in [
        (r#"{"name":"trimmed-mean","trim":0.5}"#, "trim must be above 0 and below 0.5"),
        (r#"{"name":"trimmed-mean","trim":0.0}"#, "trim must be"),
        (r#"{"name":"multi-krum","byzantine":1,"selected":0}"#, "selected must be"),
        (r#"{"name":"median","clip_norm":0.0}"#, "clip_norm must be above 0"),
        (r#"{"name":"fedavgm","momentum":1.0}"#, "momentum must be"),
        (r#"{"name":"fedadam","learning_rate":0.0,"beta1":0.9,"beta2":0.99,"epsilon":0.001}"#, "learning_rate must be"),
    ] {
        let error = read(table).unwrap().check().unwrap_err().to_string();
        assert!(error.contains(words), "{table}: {error}");
    }
}

#[test]
fn the_minimum_of_clients_is_where_the_rule_begins_to_hold() {
    let krum = |byzantine, selected| Strategy {
        aggregation: Aggregation::MultiKrum { byzantine, selected },
        ..Strategy::default()
    };
    assert_eq!([krum(0, 1), krum(2, 1), krum(2, 6)].map(|krum| krum.minimum_clients()), [3, 7, 8]);
    assert_eq!((krum(1, 3).updates_in_model(9), krum(1, 3).updates_in_model(2)), (3, 2));
    for (trim, fewest) in [(0.2, 5), (0.1, 10), (0.3, 4), (0.49, 3), (1.0 / 3.0, 3)] {
        let strategy = Strategy { aggregation: Aggregation::TrimmedMean { trim }, ..Strategy::default() };
        assert_eq!(strategy.minimum_clients(), fewest, "{trim}");
        assert_eq!(trimmed(trim, fewest as usize), 1, "{trim}");
        assert_eq!(trimmed(trim, fewest as usize - 1), 0, "{trim}");
    }
    assert_eq!((trimmed(0.29, 100), trimmed(0.499_999_999, 4)), (29, 1));
}
