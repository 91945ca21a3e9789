CREATE TABLE public.activations (
    record_id bigint NOT NULL,
    activations json NOT NULL
);
CREATE TABLE public.confirmations (
    id bigint NOT NULL,
    base_run_id character varying(255) NOT NULL,
    run_id character varying(255) NOT NULL,
    variant character varying(255) NOT NULL,
    target character varying(255) NOT NULL,
    device text NOT NULL,
    runtime character varying(255) NOT NULL,
    threads bigint NOT NULL,
    "precision" character varying(255) NOT NULL,
    weights character varying(255) NOT NULL,
    measured_at text NOT NULL,
    base_rounds_ms json NOT NULL,
    head_rounds_ms json NOT NULL,
    optimize_for character varying(255) DEFAULT 'latency'::character varying NOT NULL,
    batch bigint DEFAULT '1'::bigint NOT NULL,
    streams bigint DEFAULT '1'::bigint NOT NULL
);
CREATE SEQUENCE public.confirmations_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.confirmations_id_seq OWNED BY public.confirmations.id;
CREATE TABLE public.kernels (
    record_id bigint NOT NULL,
    kernels json NOT NULL
);
CREATE TABLE public.mobilebench_version (
    version_num character varying(32) NOT NULL
);
CREATE TABLE public.records (
    id bigint NOT NULL,
    run_id character varying(255) NOT NULL,
    started_at text NOT NULL,
    variant character varying(255) NOT NULL,
    task text NOT NULL,
    width_multiplier double precision NOT NULL,
    expansion_factor bigint NOT NULL,
    height bigint NOT NULL,
    width bigint NOT NULL,
    "precision" character varying(255) NOT NULL,
    target character varying(255) NOT NULL,
    device text NOT NULL,
    emulated boolean NOT NULL,
    runtime character varying(255) NOT NULL,
    runtime_version text NOT NULL,
    threads bigint NOT NULL,
    trials bigint NOT NULL,
    optimize_for character varying(255) NOT NULL,
    effort text NOT NULL,
    weights character varying(255) NOT NULL,
    status text NOT NULL,
    error text NOT NULL,
    warnings text NOT NULL,
    retries bigint NOT NULL,
    latency_p50_ms double precision,
    latency_p90_ms double precision,
    latency_p99_ms double precision,
    latency_mean_ms double precision,
    latency_ci95_low_ms double precision,
    latency_ci95_high_ms double precision,
    latency_cv double precision,
    samples bigint NOT NULL,
    round_trip_ms double precision,
    host_to_device_ms double precision,
    device_to_host_ms double precision,
    macs bigint NOT NULL,
    params_count bigint NOT NULL,
    largest_tensor_bytes bigint NOT NULL,
    params_bytes bigint,
    arena_bytes bigint,
    base_rss_bytes bigint,
    peak_rss_bytes bigint,
    artifact_bytes bigint,
    max_abs_error double precision,
    relative_l2_error double precision,
    top1_agreement double precision,
    max_box_error_px double precision,
    fidelity_inputs bigint NOT NULL,
    top1_percent double precision,
    top5_percent double precision,
    map_percent double precision,
    map_ci95_low_percent double precision,
    map_ci95_high_percent double precision,
    map50_percent double precision,
    map50_ci95_low_percent double precision,
    map50_ci95_high_percent double precision,
    miou_percent double precision,
    miou_ci95_low_percent double precision,
    miou_ci95_high_percent double precision,
    images_agreement double precision,
    images bigint NOT NULL,
    data text NOT NULL,
    pytorch_top1_percent double precision,
    pytorch_top5_percent double precision,
    pytorch_map_percent double precision,
    pytorch_map50_percent double precision,
    pytorch_miou_percent double precision,
    to_onnx_s double precision,
    compile_s double precision,
    artifact_key text DEFAULT ''::text NOT NULL,
    kernel_count bigint,
    database_hits bigint,
    database_misses bigint,
    tvm_version text NOT NULL,
    tvm_ffi_version text NOT NULL,
    torch_version text NOT NULL,
    onnx_version text NOT NULL,
    python_version text NOT NULL,
    git_commit text NOT NULL,
    host text NOT NULL,
    os text NOT NULL,
    accelerator text NOT NULL,
    accelerator_driver text NOT NULL,
    cpu_model text NOT NULL,
    cpu_cores bigint,
    cpu_governor text NOT NULL,
    cpu_mhz double precision,
    temperature_c double precision,
    load_1m double precision,
    memory_total_bytes bigint,
    calibration_before_ms double precision,
    calibration_after_ms double precision,
    peak_macs_per_s double precision,
    read_bytes_per_s double precision,
    runtime_notes text DEFAULT ''::text NOT NULL,
    calibration_data text DEFAULT ''::text NOT NULL,
    quantization_error double precision,
    quantize_s double precision,
    float32_l2_error double precision,
    float32_agreement double precision,
    instructions bigint,
    batch bigint DEFAULT '1'::bigint NOT NULL,
    streams bigint DEFAULT '1'::bigint NOT NULL,
    throughput_per_s double precision,
    load_ms double precision,
    first_inference_ms double precision,
    end_to_end_ms double precision,
    stage_decode_ms double precision,
    stage_resize_ms double precision,
    stage_normalise_ms double precision,
    stage_inference_ms double precision,
    stage_boxes_ms double precision,
    stage_suppress_ms double precision,
    stage_label_ms double precision,
    stage_mask_ms double precision,
    stage_top_k_ms double precision,
    load_s double precision,
    first_minute_ms double precision,
    slows_after_s double precision,
    steady_ms double precision,
    speed_left double precision,
    pace_fps double precision,
    idle_share double precision,
    energy_per_inference_j double precision,
    power_w double precision,
    idle_power_w double precision,
    stage_images bigint,
    frames bigint,
    missed_deadlines bigint,
    dropped_frames bigint,
    energy_source text DEFAULT ''::text NOT NULL
);
CREATE SEQUENCE public.records_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.records_id_seq OWNED BY public.records.id;
CREATE TABLE public.runs (
    run_id character varying(255) NOT NULL,
    started_at character varying(40) NOT NULL,
    suite json NOT NULL
);
CREATE TABLE public.samples (
    record_id bigint NOT NULL,
    rounds_ms json NOT NULL
);
CREATE TABLE public.traces (
    record_id bigint NOT NULL,
    trace json NOT NULL
);
ALTER TABLE ONLY public.confirmations ALTER COLUMN id SET DEFAULT nextval('public.confirmations_id_seq'::regclass);
ALTER TABLE ONLY public.records ALTER COLUMN id SET DEFAULT nextval('public.records_id_seq'::regclass);
INSERT INTO public.activations VALUES (3, '{"element_bytes": 4, "input_bytes": 602112, "output_bytes": 4000, "sizes": [{"height": 8, "width": 8, "channels": 96, "kept_channels": 16, "bottlenecks": [16]}], "steps": [{"name": "pointwise 1", "live_bytes": 3000000}], "total_bytes": 9000000, "offsets_bytes": 4500000, "plans": {"TVM, latency": 2000000}, "loaded_heap_bytes": 30000000, "used_heap_bytes": 32100000}');
INSERT INTO public.confirmations VALUES (1, '20261123-210121-0a4d', '20261124-210121-0a4d', 'mobilenet_v2_0.5_224', 'native', 'workbench', 'tvm', 1, 'float32', 'mobilenet_v2_0.5_224-same.pth', '2026-11-24T21:09:21+00:00', '[[2.5], [2.75]]', '[[3.5], [3.25]]', 'memory', 1, 1);
INSERT INTO public.kernels VALUES (3, '[{"name": "pointwise 112x112x32 16", "calls": 1, "macs": 6422528, "nbytes": 123456, "microseconds": 42.5}]');
INSERT INTO public.mobilebench_version VALUES ('10');
INSERT INTO public.records VALUES (1, '20261124-210121-0a4d', '2026-11-24T21:01:21+00:00', 'mobilenet_v2_0.5_224', 'classify', 0.5, 6, 224, 224, 'float32', 'native', 'workbench', false, 'tvm', '0.27.0.post1', 1, 8, 'memory', 'quick', 'mobilenet_v2_0.5_224-same.pth', 'ok', '', '', 0, 2.372195, 6.633614, 11.152752560000001, 3.9753006382022473, 2.238337, 2.630206, 0.8816368706892058, 445, 16.199059999053134, NULL, NULL, 97131840, 1968680, 2408448, 7879104, 838656, 87506944, 119865344, 8258272, 8.225440979003906e-06, 1.5838741245699216e-06, 1, NULL, 4, 73.6, 90.8, 21.5, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 1, 250, 'images', 73.6, 90.8, NULL, NULL, NULL, 11.624169415001234, 13.94940103800036, 'a-b-c', 32, 27, 5, '0.27.0.post1', '0.1.14.post1', '2.13.0+cpu', '1.23.2', '3.11.7', '', 'workbench', 'Linux 6.1', '', '', 'Imaginary CPU', 2, '', 2596.148, NULL, 3.63, 25276502016, 1.8186440020799637, 1.859926000237465, NULL, NULL, '', '', NULL, NULL, NULL, NULL, NULL, 1, 1, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, '');
INSERT INTO public.records VALUES (3, '20261125-210121-0a4d', '2026-11-25T21:03:03+00:00', 'mobilenet_v2_0.5_224', 'classify', 0.5, 6, 224, 224, 'float32', 'native', 'workbench', false, 'tvm', '0.27.0.post1', 1, 8, 'latency', 'quick', 'mobilenet_v2_0.5_224-same.pth', 'ok', '', '', 0, 2.372195, 6.633614, 11.152752560000001, 3.9753006382022473, 2.238337, 2.630206, 0.8816368706892058, 445, 16.199059999053134, NULL, NULL, 97131840, 1968680, 2408448, 7879104, 838656, 87506944, 119865344, 8258272, 8.225440979003906e-06, 1.5838741245699216e-06, 1, NULL, 4, 73.6, 90.8, 21.5, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 1, 250, 'images', 73.6, 90.8, NULL, NULL, NULL, 11.624169415001234, 13.94940103800036, '', 32, 27, 5, '0.27.0.post1', '0.1.14.post1', '2.13.0+cpu', '1.23.2', '3.11.7', '', 'workbench', 'Linux 6.1', '', '', 'Imaginary CPU', 2, '', 2596.148, NULL, 3.63, 25276502016, 1.8186440020799637, 1.859926000237465, NULL, NULL, '', '', NULL, NULL, NULL, NULL, NULL, 1, 1, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, '');
INSERT INTO public.records VALUES (4, '20261125-210121-0a4d', '2026-11-25T21:03:03+00:00', 'mobilenet_v2_0.5_224', 'classify', 0.5, 6, 224, 224, 'float32', 'native', 'workbench', false, 'torch', '2.13.0+cpu', 1, 0, 'latency', 'quick', 'mobilenet_v2_0.5_224-same.pth', 'ok', '', '', 0, 22.620715, 36.4025622, 40.40878272, 23.3016869, 14.6127705, 31.456767, 0.4121708919089009, 50, NULL, NULL, NULL, 97131840, 1968680, 2408448, NULL, NULL, 233910272, 280649728, NULL, 6.67572021484375e-06, 8.382497619838867e-07, 1, NULL, 4, 73.6, 90.8, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 1, 250, 'images', 73.6, 90.8, NULL, NULL, NULL, 11.624169415001234, NULL, '', NULL, NULL, NULL, '0.27.0.post1', '0.1.14.post1', '2.13.0+cpu', '1.23.2', '3.11.7', '', 'workbench', 'Linux 6.1', '', '', 'Imaginary CPU', 2, '', 2596.148, NULL, 3.63, 25276502016, 1.8186440020799637, 1.859926000237465, NULL, NULL, '', '', NULL, NULL, NULL, NULL, NULL, 1, 1, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, '');
INSERT INTO public.records VALUES (2, '20261124-210121-0a4d', '2026-11-24T21:01:21+00:00', 'mobilenet_v2_0.5_224', 'classify', 0.5, 6, 224, 224, 'float32', 'native', 'workbench', false, 'tvm', '0.27.0.post1', 2, 8, 'memory', 'quick', 'mobilenet_v2_0.5_224-same.pth', 'to_onnx_failed', 'no ONNX of it', '', 0, NULL, 6.633614, 11.152752560000001, 3.9753006382022473, 2.238337, 2.630206, 0.8816368706892058, 0, 16.199059999053134, NULL, NULL, 97131840, 1968680, 2408448, 7879104, 838656, 87506944, 119865344, 8258272, 8.225440979003906e-06, 1.5838741245699216e-06, 1, NULL, 4, 73.6, 90.8, 21.5, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 1, 250, 'images', 73.6, 90.8, NULL, NULL, NULL, 11.624169415001234, 13.94940103800036, '', 32, 27, 5, '0.27.0.post1', '0.1.14.post1', '2.13.0+cpu', '1.23.2', '3.11.7', '', 'workbench', 'Linux 6.1', '', '', 'Imaginary CPU', 2, '', 2596.148, NULL, 3.63, 25276502016, 1.8186440020799637, 1.859926000237465, NULL, NULL, '', '', NULL, NULL, NULL, NULL, NULL, 1, 1, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, '');
INSERT INTO public.runs VALUES ('20261124-210121-0a4d', '2026-11-24T21:01:21+00:00', '{"variant": ["mobilenet_v2_0.5_224"], "target": ["native"], "runtime": ["tvm", "torch", "onnxruntime"], "threads": [1], "precision": ["float32"], "trials": null, "optimize_for": "memory", "kernels": false, "effort": "quick", "weights": ["weights.pth"], "data": "images", "seed": 0, "time_limit": 300.0, "tracker": "", "wait": 60.0, "retries": 2, "check_regressions": true}');
INSERT INTO public.runs VALUES ('20261125-210121-0a4d', '2026-11-25T21:01:21+00:00', '{"variant": ["mobilenet_v2_0.5_224"], "target": ["native"], "runtime": ["tvm", "torch", "onnxruntime"], "threads": [1], "precision": ["float32"], "trials": null, "optimize_for": "latency", "kernels": false, "effort": "quick", "weights": ["weights.pth"], "data": "images", "seed": 0, "time_limit": 300.0, "tracker": "", "wait": 60.0, "retries": 2}');
INSERT INTO public.samples VALUES (1, '[[3.5], [3.25]]');
INSERT INTO public.samples VALUES (3, '[[2.5, 2.25], [2.75]]');
INSERT INTO public.samples VALUES (4, '[[2.5, 2.25], [2.75]]');
SELECT pg_catalog.setval('public.confirmations_id_seq', 1, true);
SELECT pg_catalog.setval('public.records_id_seq', 4, true);
ALTER TABLE ONLY public.activations
    ADD CONSTRAINT activations_pkey PRIMARY KEY (record_id);
ALTER TABLE ONLY public.confirmations
    ADD CONSTRAINT confirmations_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.kernels
    ADD CONSTRAINT kernels_pkey PRIMARY KEY (record_id);
ALTER TABLE ONLY public.mobilebench_version
    ADD CONSTRAINT mobilebench_version_pkey PRIMARY KEY (version_num);
ALTER TABLE ONLY public.records
    ADD CONSTRAINT records_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.runs
    ADD CONSTRAINT runs_pkey PRIMARY KEY (run_id);
ALTER TABLE ONLY public.samples
    ADD CONSTRAINT samples_pkey PRIMARY KEY (record_id);
ALTER TABLE ONLY public.traces
    ADD CONSTRAINT traces_pkey PRIMARY KEY (record_id);
CREATE UNIQUE INDEX confirmations_key ON public.confirmations USING btree (base_run_id, run_id, target, threads, "precision", optimize_for, variant, weights, runtime, batch, streams);
CREATE INDEX records_cells ON public.records USING btree (target, device, threads, "precision", optimize_for, variant, weights, runtime, batch, streams, emulated);
CREATE INDEX records_examined ON public.records USING btree (variant, weights, "precision", runtime, images) WHERE (images > 0);
CREATE UNIQUE INDEX records_key ON public.records USING btree (run_id, target, threads, "precision", optimize_for, variant, weights, runtime, batch, streams);
ALTER TABLE ONLY public.activations
    ADD CONSTRAINT activations_record_id_fkey FOREIGN KEY (record_id) REFERENCES public.records(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.kernels
    ADD CONSTRAINT kernels_record_id_fkey FOREIGN KEY (record_id) REFERENCES public.records(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.samples
    ADD CONSTRAINT samples_record_id_fkey FOREIGN KEY (record_id) REFERENCES public.records(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.traces
    ADD CONSTRAINT traces_record_id_fkey FOREIGN KEY (record_id) REFERENCES public.records(id) ON DELETE CASCADE;
