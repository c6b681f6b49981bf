//! The smallest HTTP server that a JSON-RPC client accepts: POST, Content-Length, keep-alive;
//! bodies of unknown length in chunks.
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// The body of the next request on `stream`; `None` when the client has gone.
pub async fn request(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<Value> {
    loop {
        if let Some(end) = buffer.windows(4).position(|w| w == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&buffer[..end]).to_lowercase();
            let len =
                head.lines().find_map(|l| l.strip_prefix("content-length:")?.trim().parse().ok());
            let (body, len): (usize, usize) = (end + 4, len.unwrap_or(0));
            if buffer.len() >= body + len {
                let value = serde_json::from_slice(&buffer[body..body + len]).ok()?;
                buffer.drain(..body + len);
                return Some(value);
            }
        }
        let mut chunk = [0; 4096];
        let n = stream.read(&mut chunk).await.ok().filter(|n| *n > 0)?;
        buffer.extend_from_slice(&chunk[..n]);
    }
}

/// Answers with `body`.
pub async fn respond(stream: &mut TcpStream, body: &str) -> std::io::Result<()> {
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body.as_bytes()).await
}

/// Answers with `status` alone.
pub async fn refuse(
    stream: &mut TcpStream,
    status: u16,
    retry_after: Option<&str>,
) -> std::io::Result<()> {
    let retry = retry_after.map_or_else(String::new, |after| format!("retry-after: {after}\r\n"));
    let head = format!("HTTP/1.1 {status} No\r\n{retry}content-length: 2\r\n\r\nNo");
    stream.write_all(head.as_bytes()).await
}

/// Reads the head of a websocket's request, so that a refusal is not taken for a broken pipe.
pub async fn head(stream: &mut TcpStream) {
    let (mut seen, mut chunk) = (vec![], [0; 1024]);
    while !seen.windows(4).any(|w| w == b"\r\n\r\n") {
        match stream.read(&mut chunk).await {
            Ok(n) if n > 0 => seen.extend_from_slice(&chunk[..n]),
            _ => return,
        }
    }
}

/// Begins an answer whose length is not known yet.
pub async fn begin(stream: &mut TcpStream) -> std::io::Result<()> {
    let head =
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n";
    stream.write_all(head.as_bytes()).await
}

/// Sends `part` of such an answer and empties it.
pub async fn chunk(stream: &mut TcpStream, part: &mut String) -> std::io::Result<()> {
    if !part.is_empty() {
        stream.write_all(format!("{:x}\r\n{part}\r\n", part.len()).as_bytes()).await?;
        part.clear();
    }
    stream.flush().await
}

/// Ends such an answer.
pub async fn end(stream: &mut TcpStream) -> std::io::Result<()> {
    stream.write_all(b"0\r\n\r\n").await
}
