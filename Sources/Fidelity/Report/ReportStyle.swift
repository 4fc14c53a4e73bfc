/// The page's style sheet and its one script. Nothing is fetched: the report is a single file.
enum ReportStyle {
    static let sheet = """
        :root{color-scheme:light dark;--ink:#1d2330;--soft:#5c6577;--paper:#fff;--card:#f5f6f9;--rule:#d9dde6;
        --good:#12724a;--bad:#b3261e;--warn:#8a5a00;--c0:#2f62d9;--c1:#d1571b;--c2:#12835a;--c3:#8a3fc0;--c4:#a3821a;--c5:#c22f6b}
        @media (prefers-color-scheme:dark){:root{--ink:#e7eaf2;--soft:#9aa4b8;--paper:#12151c;--card:#1b2029;--rule:#333b4a;
        --good:#5fd3a0;--bad:#ff8a80;--warn:#f0b95a;--c0:#7ea6ff;--c1:#ff9a66;--c2:#58cfa0;--c3:#c493f5;--c4:#e0c264;--c5:#ff85b0}}
        *{box-sizing:border-box}
        body{margin:0 auto;padding:1.2rem 1rem 3rem;max-width:66rem;background:var(--paper);color:var(--ink);
        font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",sans-serif}
        h1{font-size:1.5rem;margin:.2rem 0 .4rem}h2{font-size:1.15rem;margin:2.2rem 0 .5rem;border-top:1px solid var(--rule);padding-top:1.2rem}
        h3{font-size:1rem;margin:1.2rem 0 .3rem}p{margin:.4rem 0}.soft,figcaption{color:var(--soft);font-size:.9rem}
        .verdict{border-left:.4rem solid var(--good);background:var(--card);padding:.8rem 1rem;border-radius:.3rem;font-size:1.05rem}
        .verdict.no{border-color:var(--bad)}.verdict b{color:var(--good)}.verdict.no b{color:var(--bad)}
        ul.findings{padding-left:1.1rem;margin:.5rem 0 0}.failure{color:var(--bad)}.warning{color:var(--warn)}
        .cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(9.5rem,1fr));gap:.6rem;margin:1rem 0}
        .card{background:var(--card);border-radius:.4rem;padding:.6rem .8rem}.card span{display:block;color:var(--soft);font-size:.82rem}
        .card strong{font-size:1.3rem;font-variant-numeric:tabular-nums}.card small{display:block;color:var(--soft)}
        .charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,24rem),1fr));gap:0 1.4rem}
        figure{margin:.8rem 0;min-width:0}.chart{width:100%;height:auto;background:var(--card);border-radius:.4rem}
        .grid{stroke:var(--rule);stroke-width:1}.axis{stroke:var(--soft);stroke-width:1.2}.line{fill:none;stroke:currentColor;stroke-width:2}
        .dot,.bar{fill:currentColor}.whisker{stroke:currentColor;stroke-width:1.5}
        .tick,.label,.note{fill:var(--soft);font:13px system-ui,sans-serif}.note{fill:currentColor}
        .s0{color:var(--c0)}.s1{color:var(--c1)}.s2{color:var(--c2)}.s3{color:var(--c3)}.s4{color:var(--c4)}.s5{color:var(--c5)}
        .legend{display:flex;flex-wrap:wrap;gap:.3rem 1rem;font-size:.9rem}.key i{display:inline-block;width:.8em;height:.8em;border-radius:50%;background:currentColor;margin-right:.35em}
        .scroll{overflow-x:auto}table{border-collapse:collapse;width:100%;font-size:.88rem}
        th,td{text-align:left;padding:.3rem .5rem;border-bottom:1px solid var(--rule);white-space:nowrap}
        td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}th{cursor:pointer;color:var(--soft);font-weight:600}
        th[aria-sort=ascending]::after{content:" ▲"}th[aria-sort=descending]::after{content:" ▼"}
        details summary{cursor:pointer;padding:.4rem 0;color:var(--soft)}
        .passage{background:var(--card);border-radius:.4rem;padding:.6rem .8rem;margin:.6rem 0;overflow-wrap:anywhere}
        .passage code{white-space:pre-wrap;font:.88rem/1.5 ui-monospace,Menlo,Consolas,monospace}.passage mark{background:var(--c4);color:var(--paper)}
        footer{margin-top:2.5rem;color:var(--soft);font-size:.85rem;overflow-wrap:anywhere}
        @media print{body{max-width:none;font-size:11pt}figure,tr{break-inside:avoid}h3,summary{break-after:avoid}details::details-content{content-visibility:visible;block-size:auto}table{font-size:8pt}th,td{white-space:normal;padding:.15rem .3rem}.charts{grid-template-columns:1fr 1fr}.chart,.card,.passage,.verdict{break-inside:avoid}h2{break-after:avoid}}
        """

    static let script = """
        addEventListener('beforeprint',function(){
        document.querySelectorAll('details').forEach(function(d){d.open=true})});
        document.querySelectorAll('table.sortable').forEach(function(table){
        var heads=Array.from(table.querySelectorAll('th'));
        function key(row,i){var c=row.cells[i];return c.dataset.v!==undefined?Number(c.dataset.v):c.textContent}
        function sort(i){var down=heads[i].getAttribute('aria-sort')==='ascending';
        heads.forEach(function(h){h.removeAttribute('aria-sort')});
        heads[i].setAttribute('aria-sort',down?'descending':'ascending');
        var body=table.tBodies[0];Array.from(body.rows).sort(function(a,b){var x=key(a,i),y=key(b,i);
        var order=typeof x==='number'&&typeof y==='number'?x-y:String(x).localeCompare(String(y));
        return down?-order:order}).forEach(function(row){body.appendChild(row)})}
        heads.forEach(function(h,i){h.addEventListener('click',function(){sort(i)});
        h.addEventListener('keydown',function(e){if(e.key==='Enter'||e.key===' '){e.preventDefault();sort(i)}})})});
        """
}
