//! Each protocol against a small other side of our own, which follows the same document. The real servers are
//! the client tests' part.

use std::sync::Arc;

use bytes::Bytes;
use craton_crypto::random::SystemRandom;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

use super::*;
use crate::target::{Amqp, Kafka, Nats, Webhook};

type Peer = BufReader<TcpStream>;

/// A server for one connection: its address, and what it gives in the end.
async fn serve<F, T>(talk: impl FnOnce(Peer) -> F + Send + 'static) -> (String, JoinHandle<T>)
where
    F: Future<Output = T> + Send,
    T: Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let task = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        talk(BufReader::new(stream)).await
    });
    (address, task)
}

fn messages(bodies: &[&'static str]) -> Vec<Message> {
    let message = |body: &&'static str| Message {
        subject: format!("bucket/{body}"),
        time_millis: 1_700_000_000_000,
        body: Bytes::from_static(body.as_bytes()),
    };
    bodies.iter().map(message).collect()
}

async fn send(target: Target, bodies: &[&'static str]) -> (usize, Result<()>) {
    let mut sink = Sink::new(target, Arc::new(SystemRandom));
    let mut taken = 0;
    let sent = sink.send(&messages(bodies), &mut taken).await;
    (taken, sent)
}

async fn line(peer: &mut Peer) -> String {
    let mut out = String::new();
    peer.read_line(&mut out).await.unwrap();
    out.trim_end().to_owned()
}

async fn read(peer: &mut Peer, len: usize) -> Vec<u8> {
    let mut out = vec![0; len];
    peer.read_exact(&mut out).await.unwrap();
    out
}

/// Answers one HTTP request after another with these statuses; gives the requests' heads and bodies.
async fn http(mut peer: Peer, statuses: &[u16]) -> Vec<(Vec<String>, String)> {
    let mut out = Vec::new();
    for status in statuses {
        let mut head = Vec::new();
        loop {
            let line = line(&mut peer).await;
            if line.is_empty() {
                break;
            }
            head.push(line.to_ascii_lowercase());
        }
        let len = head
            .iter()
            .find_map(|l| l.strip_prefix("content-length: "))
            .unwrap();
        let body = read(&mut peer, len.parse().unwrap()).await;
        let answer =
            format!("HTTP/1.1 {status} x\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n");
        peer.write_all(answer.as_bytes()).await.unwrap();
        out.push((head, String::from_utf8(body).unwrap()));
    }
    out
}

fn webhook(url: String) -> Target {
    let webhook = Webhook {
        url,
        token: Some("s3cret".into()),
    };
    Target {
        name: "t".into(),
        webhook: Some(webhook),
        ..Target::default()
    }
}

#[tokio::test]
async fn a_webhook_gets_one_post_for_each_message_with_its_token() {
    let (address, peer) = serve(|peer| http(peer, &[200, 204])).await;
    let (taken, sent) = send(webhook(format!("http://{address}/hook")), &["{1}", "{2}"]).await;
    sent.unwrap();
    assert_eq!(taken, 2);
    let requests = peer.await.unwrap();
    assert_eq!(requests[0].1, "{1}");
    assert_eq!(requests[1].1, "{2}");
    assert!(requests[0].0[0].starts_with("post /hook "));
    assert!(requests[0].0.contains(&"authorization: bearer s3cret".to_owned()));
}

/// CVE-2021-21287: a webhook must not lead the server elsewhere.
#[tokio::test]
async fn cve_2021_21287_a_webhook_that_redirects_is_not_followed() {
    let (address, peer) = serve(|peer| http(peer, &[200, 307])).await;
    let (taken, sent) = send(webhook(format!("http://{address}/")), &["1", "2", "3"]).await;
    assert_eq!(taken, 1);
    let error = sent.unwrap_err();
    assert_eq!(error.kind(), Kind::Unavailable);
    assert!(
        !error.message().contains(&address) && !error.message().contains("s3cret"),
        "{error}"
    );
    assert_eq!(peer.await.unwrap().len(), 2);
}

fn nats(address: String, jetstream: bool) -> Target {
    let nats = Nats {
        address,
        subject: "craton.events".into(),
        jetstream,
        tls: false,
        user: Some("u".into()),
        password: Some("p\"w".into()),
    };
    Target {
        name: "t".into(),
        nats: Some(nats),
        ..Target::default()
    }
}

/// A server that takes messages up to a `PING`, or acknowledges each if a reply is wanted.
async fn nats_server(mut peer: Peer, acknowledge: &'static str) -> Vec<String> {
    peer.write_all(b"INFO {\"max_payload\":1000}\r\n").await.unwrap();
    let mut out = Vec::new();
    loop {
        let line = line(&mut peer).await;
        let words: Vec<&str> = line.split(' ').collect();
        match words[0] {
            "" => return out,
            "PING" => peer.write_all(b"PONG\r\n").await.unwrap(),
            "PUB" => {
                let len: usize = words.last().unwrap().parse().unwrap();
                let body = read(&mut peer, len + 2).await;
                out.push(format!("{} {}", words[1], String::from_utf8_lossy(&body[..len])));
                if words.len() == 4 {
                    let answer = format!("MSG {} 1 {}\r\n{acknowledge}\r\n", words[2], acknowledge.len());
                    peer.write_all(answer.as_bytes()).await.unwrap();
                }
            }
            _ => out.push(line),
        }
    }
}

#[tokio::test]
async fn nats_has_taken_messages_when_it_answers_the_ping() {
    let (address, peer) = serve(|peer| nats_server(peer, "")).await;
    let (taken, sent) = send(nats(address, false), &["one", "two"]).await;
    sent.unwrap();
    assert_eq!(taken, 2);
    let said = peer.await.unwrap();
    assert!(
        said[0].starts_with("CONNECT {") && said[0].contains("\"pass\":\"p\\\"w\""),
        "{said:?}"
    );
    assert_eq!(&said[1..], ["craton.events one", "craton.events two"]);
}

#[tokio::test]
async fn jetstream_has_taken_what_it_acknowledges() {
    let ok = "{\"stream\":\"S\",\"seq\":1}";
    let (address, _peer) = serve(move |peer| nats_server(peer, ok)).await;
    let (taken, sent) = send(nats(address, true), &["one", "two"]).await;
    sent.unwrap();
    assert_eq!(taken, 2);
    let refused = "{\"error\":{\"code\":400}}";
    let (address, _peer) = serve(move |peer| nats_server(peer, refused)).await;
    let (taken, sent) = send(nats(address, true), &["one"]).await;
    assert_eq!((taken, sent.unwrap_err().kind()), (0, Kind::Unavailable));
}

fn amqp(address: String) -> Target {
    let amqp = Amqp {
        address,
        vhost: "/".into(),
        exchange: "ex".into(),
        routing_key: "key".into(),
        tls: false,
        user: None,
        password: None,
    };
    Target {
        name: "t".into(),
        amqp: Some(amqp),
        ..Target::default()
    }
}

async fn frame(peer: &mut Peer) -> (u8, u16, Vec<u8>) {
    let head = read(peer, 7).await;
    let len = u32::from_be_bytes(head[3..7].try_into().unwrap()) as usize;
    let mut payload = read(peer, len + 1).await;
    assert_eq!(payload.pop(), Some(0xCE));
    (head[0], u16::from_be_bytes([head[1], head[2]]), payload)
}

async fn method(peer: &mut Peer, channel: u16, class: u16, number: u16, arguments: &[u8]) {
    let payload = [&class.to_be_bytes()[..], &number.to_be_bytes(), arguments].concat();
    let mut out = vec![1];
    out.extend(channel.to_be_bytes());
    out.extend(u32::try_from(payload.len()).unwrap().to_be_bytes());
    out.extend(payload);
    out.push(0xCE);
    peer.write_all(&out).await.unwrap();
}

/// A broker that takes `count` messages and then answers with the given method.
async fn broker(mut peer: Peer, count: usize, answer: (u16, Vec<u8>)) -> Vec<String> {
    assert_eq!(read(&mut peer, 8).await, b"AMQP\x00\x00\x09\x01");
    method(&mut peer, 0, 10, 10, b"").await;
    let (_, _, start_ok) = frame(&mut peer).await;
    assert!(start_ok.windows(12).any(|w| w == b"\0guest\0guest"));
    method(&mut peer, 0, 10, 30, &[0, 9, 0, 0, 0x10, 0, 0, 60]).await;
    frame(&mut peer).await;
    frame(&mut peer).await;
    method(&mut peer, 0, 10, 41, &[0]).await;
    frame(&mut peer).await;
    method(&mut peer, 1, 20, 11, &[0; 4]).await;
    frame(&mut peer).await;
    method(&mut peer, 1, 85, 11, b"").await;
    let mut out = Vec::new();
    for _ in 0..count {
        let (_, channel, publish) = frame(&mut peer).await;
        assert_eq!((channel, &publish[..4]), (1, &[0, 60, 0, 40][..]));
        let (kind, _, header) = frame(&mut peer).await;
        assert_eq!((kind, &header[..4]), (2, &[0, 60, 0, 0][..]));
        let size = u64::from_be_bytes(header[4..12].try_into().unwrap()) as usize;
        let mut body = Vec::new();
        while body.len() < size {
            let (kind, _, piece) = frame(&mut peer).await;
            assert!(kind == 3 && piece.len() <= 4096 - 8);
            body.extend(piece);
        }
        out.push(String::from_utf8(body).unwrap());
    }
    method(&mut peer, 1, 60, answer.0, &answer.1).await;
    out
}

#[tokio::test]
async fn amqp_has_taken_what_the_broker_confirms() {
    let all = [&2u64.to_be_bytes()[..], &[1]].concat();
    let (address, peer) = serve(move |peer| broker(peer, 2, (80, all))).await;
    let long: &'static str = Box::leak("x".repeat(10_000).into_boxed_str());
    let (taken, sent) = send(amqp(address), &["one", long]).await;
    sent.unwrap();
    assert_eq!(taken, 2);
    assert_eq!(peer.await.unwrap(), ["one", long]);
}

#[tokio::test]
async fn amqp_has_not_taken_what_comes_back() {
    let (address, _peer) = serve(move |peer| broker(peer, 1, (50, vec![1, 0x38, 0, 0, 0]))).await;
    let (taken, sent) = send(amqp(address), &["one"]).await;
    assert_eq!((taken, sent.unwrap_err().kind()), (0, Kind::Unavailable));
}

/// A Kafka broker with one topic of one partition that it leads, and its answer's error to `Produce`.
async fn kafka_broker(mut peer: Peer, port: u16, error: i16) -> Vec<u8> {
    let mut produced = Vec::new();
    for answer_of in [3u16, 0] {
        let len = u32::from_be_bytes(read(&mut peer, 4).await.try_into().unwrap());
        let request = read(&mut peer, len as usize).await;
        assert_eq!(u16::from_be_bytes([request[0], request[1]]), answer_of);
        let mut answer = request[4..8].to_vec();
        if answer_of == 3 {
            answer.extend([0, 0, 0, 1, 0, 0, 0, 7, 0, 9]);
            answer.extend(b"127.0.0.1");
            answer.extend(u32::from(port).to_be_bytes());
            answer.extend([0xff, 0xff, 0, 0, 0, 7, 0, 0, 0, 1, 0, 0, 0, 1, b't', 0]);
            answer.extend([
                0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 1, 0, 0, 0, 7, 0, 0, 0, 1, 0, 0, 0, 7,
            ]);
        } else {
            produced = request;
            answer.extend([0, 0, 0, 1, 0, 1, b't', 0, 0, 0, 1, 0, 0, 0, 0]);
            answer.extend(error.to_be_bytes());
            answer.extend([0; 20]);
        }
        peer.write_all(&u32::try_from(answer.len()).unwrap().to_be_bytes())
            .await
            .unwrap();
        peer.write_all(&answer).await.unwrap();
    }
    produced
}

async fn kafka(error: i16) -> ((usize, Result<()>), Vec<u8>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let task = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        kafka_broker(BufReader::new(stream), address.port(), error).await
    });
    let kafka = Kafka {
        brokers: vec![address.to_string()],
        topic: "t".into(),
        tls: false,
        user: None,
        password: None,
    };
    let target = Target {
        name: "t".into(),
        kafka: Some(kafka),
        ..Target::default()
    };
    (send(target, &["one", "two"]).await, task.await.unwrap())
}

#[tokio::test]
async fn kafka_has_taken_what_the_leader_confirms() {
    let ((taken, sent), request) = kafka(0).await;
    sent.unwrap();
    assert_eq!(taken, 2);
    // The batch as `kafka-python` 3.0.12 writes it for the same records, but for the leader's epoch, which is not ours to know.
    let batch = hex_of(&request[request.len() - BATCH.len() / 2..]);
    assert_eq!(batch, BATCH);
}

/// Base offset, length, epoch, magic, CRC-32C, attributes, last offset, times, producer, count; two records.
const BATCH: &str = "000000000000000000000059ffffffff02ca502a930000000000010000018bcfe568000000018bcfe56800ffffffffffffffffffffffffffff000000\
     0226000000146275636b65742f6f6e65066f6e650026000002146275636b65742f74776f0674776f00";

#[tokio::test]
async fn kafka_has_not_taken_what_the_leader_refuses() {
    let ((taken, sent), _) = kafka(6).await;
    assert_eq!((taken, sent.unwrap_err().kind()), (0, Kind::Unavailable));
}

fn hex_of(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

#[tokio::test]
async fn a_target_that_is_not_there_takes_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    drop(listener);
    for target in [
        webhook(format!("http://{address}")),
        nats(address.clone(), false),
        amqp(address.clone()),
    ] {
        let (taken, sent) = send(target, &["one"]).await;
        assert_eq!((taken, sent.unwrap_err().kind()), (0, Kind::Unavailable));
    }
}
