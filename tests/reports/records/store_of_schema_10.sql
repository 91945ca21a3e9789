BEGIN TRANSACTION;
CREATE TABLE activations (
	record_id INTEGER NOT NULL, 
	activations JSON NOT NULL, 
	PRIMARY KEY (record_id), 
	FOREIGN KEY(record_id) REFERENCES records (id) ON DELETE CASCADE
);
INSERT INTO "activations" VALUES(3,'{"element_bytes": 4, "input_bytes": 602112, "output_bytes": 4000, "sizes": [{"height": 8, "width": 8, "channels": 96, "kept_channels": 16, "bottlenecks": [16]}], "steps": [{"name": "pointwise 1", "live_bytes": 3000000}], "total_bytes": 9000000, "offsets_bytes": 4500000, "plans": {"TVM, latency": 2000000}, "loaded_heap_bytes": 30000000, "used_heap_bytes": 32100000}');
CREATE TABLE confirmations (
	id INTEGER NOT NULL, 
	base_run_id VARCHAR(255) NOT NULL, 
	run_id VARCHAR(255) NOT NULL, 
	variant VARCHAR(255) NOT NULL, 
	target VARCHAR(255) NOT NULL, 
	device TEXT NOT NULL, 
	runtime VARCHAR(255) NOT NULL, 
	threads BIGINT NOT NULL, 
	precision VARCHAR(255) NOT NULL, 
	weights VARCHAR(255) NOT NULL, 
	measured_at TEXT NOT NULL, 
	base_rounds_ms JSON NOT NULL, 
	head_rounds_ms JSON NOT NULL, optimize_for VARCHAR(255) DEFAULT 'latency' NOT NULL, batch BIGINT DEFAULT '1' NOT NULL, streams BIGINT DEFAULT '1' NOT NULL, 
	PRIMARY KEY (id), 
	UNIQUE (base_run_id, run_id, variant, target, runtime, threads, precision, weights)
);
INSERT INTO "confirmations" VALUES(1,'20261123-210121-0a4d','20261124-210121-0a4d','mobilenet_v2_0.5_224','native','workbench','tvm',1,'float32','mobilenet_v2_0.5_224-same.pth','2026-11-24T21:09:21+00:00','[[2.5], [2.75]]','[[3.5], [3.25]]','memory',1,1);
CREATE TABLE kernels (
	record_id INTEGER NOT NULL, 
	kernels JSON NOT NULL, 
	PRIMARY KEY (record_id), 
	FOREIGN KEY(record_id) REFERENCES records (id) ON DELETE CASCADE
);
INSERT INTO "kernels" VALUES(3,'[{"name": "pointwise 112x112x32 16", "calls": 1, "macs": 6422528, "nbytes": 123456, "microseconds": 42.5}]');
CREATE TABLE mobilebench_version (
	version_num VARCHAR(32) NOT NULL, 
	PRIMARY KEY (version_num)
);
INSERT INTO "mobilebench_version" VALUES('10');
CREATE TABLE "records" (
	id INTEGER NOT NULL, 
	run_id VARCHAR(255) NOT NULL, 
	started_at TEXT NOT NULL, 
	variant VARCHAR(255) NOT NULL, 
	task TEXT NOT NULL, 
	width_multiplier DOUBLE NOT NULL, 
	expansion_factor BIGINT NOT NULL, 
	height BIGINT NOT NULL, 
	width BIGINT NOT NULL, 
	precision VARCHAR(255) NOT NULL, 
	target VARCHAR(255) NOT NULL, 
	device TEXT NOT NULL, 
	emulated BOOLEAN NOT NULL, 
	runtime VARCHAR(255) NOT NULL, 
	runtime_version TEXT NOT NULL, 
	threads BIGINT NOT NULL, 
	trials BIGINT NOT NULL, 
	optimize_for VARCHAR(255) NOT NULL, 
	effort TEXT NOT NULL, 
	weights VARCHAR(255) NOT NULL, 
	status TEXT NOT NULL, 
	error TEXT NOT NULL, 
	warnings TEXT NOT NULL, 
	retries BIGINT NOT NULL, 
	latency_p50_ms DOUBLE, 
	latency_p90_ms DOUBLE, 
	latency_p99_ms DOUBLE, 
	latency_mean_ms DOUBLE, 
	latency_ci95_low_ms DOUBLE, 
	latency_ci95_high_ms DOUBLE, 
	latency_cv DOUBLE, 
	samples BIGINT NOT NULL, 
	round_trip_ms DOUBLE, 
	host_to_device_ms DOUBLE, 
	device_to_host_ms DOUBLE, 
	macs BIGINT NOT NULL, 
	params_count BIGINT NOT NULL, 
	largest_tensor_bytes BIGINT NOT NULL, 
	params_bytes BIGINT, 
	arena_bytes BIGINT, 
	base_rss_bytes BIGINT, 
	peak_rss_bytes BIGINT, 
	artifact_bytes BIGINT, 
	max_abs_error DOUBLE, 
	relative_l2_error DOUBLE, 
	top1_agreement DOUBLE, 
	max_box_error_px DOUBLE, 
	fidelity_inputs BIGINT NOT NULL, 
	top1_percent DOUBLE, 
	top5_percent DOUBLE, 
	map_percent DOUBLE, 
	map_ci95_low_percent DOUBLE, 
	map_ci95_high_percent DOUBLE, 
	map50_percent DOUBLE, 
	map50_ci95_low_percent DOUBLE, 
	map50_ci95_high_percent DOUBLE, 
	miou_percent DOUBLE, 
	miou_ci95_low_percent DOUBLE, 
	miou_ci95_high_percent DOUBLE, 
	images_agreement DOUBLE, 
	images BIGINT NOT NULL, 
	data TEXT NOT NULL, 
	pytorch_top1_percent DOUBLE, 
	pytorch_top5_percent DOUBLE, 
	pytorch_map_percent DOUBLE, 
	pytorch_map50_percent DOUBLE, 
	pytorch_miou_percent DOUBLE, 
	to_onnx_s DOUBLE, 
	compile_s DOUBLE, 
	artifact_key TEXT DEFAULT '' NOT NULL, 
	kernel_count BIGINT, 
	database_hits BIGINT, 
	database_misses BIGINT, 
	tvm_version TEXT NOT NULL, 
	tvm_ffi_version TEXT NOT NULL, 
	torch_version TEXT NOT NULL, 
	onnx_version TEXT NOT NULL, 
	python_version TEXT NOT NULL, 
	git_commit TEXT NOT NULL, 
	host TEXT NOT NULL, 
	os TEXT NOT NULL, 
	accelerator TEXT NOT NULL, 
	accelerator_driver TEXT NOT NULL, 
	cpu_model TEXT NOT NULL, 
	cpu_cores BIGINT, 
	cpu_governor TEXT NOT NULL, 
	cpu_mhz DOUBLE, 
	temperature_c DOUBLE, 
	load_1m DOUBLE, 
	memory_total_bytes BIGINT, 
	calibration_before_ms DOUBLE, 
	calibration_after_ms DOUBLE, 
	peak_macs_per_s DOUBLE, 
	read_bytes_per_s DOUBLE, runtime_notes TEXT DEFAULT '' NOT NULL, calibration_data TEXT DEFAULT '' NOT NULL, quantization_error DOUBLE, quantize_s DOUBLE, float32_l2_error DOUBLE, float32_agreement DOUBLE, instructions BIGINT, batch BIGINT DEFAULT '1' NOT NULL, streams BIGINT DEFAULT '1' NOT NULL, throughput_per_s DOUBLE, load_ms DOUBLE, first_inference_ms DOUBLE, end_to_end_ms DOUBLE, stage_decode_ms DOUBLE, stage_resize_ms DOUBLE, stage_normalise_ms DOUBLE, stage_inference_ms DOUBLE, stage_boxes_ms DOUBLE, stage_suppress_ms DOUBLE, stage_label_ms DOUBLE, stage_mask_ms DOUBLE, stage_top_k_ms DOUBLE, load_s DOUBLE, first_minute_ms DOUBLE, slows_after_s DOUBLE, steady_ms DOUBLE, speed_left DOUBLE, pace_fps DOUBLE, idle_share DOUBLE, energy_per_inference_j DOUBLE, power_w DOUBLE, idle_power_w DOUBLE, stage_images BIGINT, frames BIGINT, missed_deadlines BIGINT, dropped_frames BIGINT, energy_source TEXT DEFAULT '' NOT NULL, 
	PRIMARY KEY (id)
);
INSERT INTO "records" VALUES(1,'20261124-210121-0a4d','2026-11-24T21:01:21+00:00','mobilenet_v2_0.5_224','classify',0.5,6,224,224,'float32','native','workbench',0,'tvm','0.27.0.post1',1,8,'memory','quick','mobilenet_v2_0.5_224-same.pth','ok','','',0,2.372195,6.633614,1.11527525600000014809e+01,3.97530063820224732751e+00,2.238337,2.630206,8.81636870689205820461e-01,445,1.61990599990531336516e+01,NULL,NULL,97131840,1968680,2408448,7879104,838656,87506944,119865344,8258272,8.22544097900390625e-06,1.58387412456992160416e-06,1.0,NULL,4,73.6,90.8,21.5,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,1.0,250,'images',73.6,90.8,NULL,NULL,NULL,1.16241694150012335744e+01,1.39494010380003601316e+01,'a-b-c',32,27,5,'0.27.0.post1','0.1.14.post1','2.13.0+cpu','1.23.2','3.11.7','','workbench','Linux 6.1','','','Imaginary CPU',2,'',2596.148,NULL,3.63,25276502016,1.81864400207996368408e+00,1.85992600023746490478e+00,NULL,NULL,'','',NULL,NULL,NULL,NULL,NULL,1,1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,'');
INSERT INTO "records" VALUES(2,'20261124-210121-0a4d','2026-11-24T21:01:21+00:00','mobilenet_v2_0.5_224','classify',0.5,6,224,224,'float32','native','workbench',0,'tvm','0.27.0.post1',2,8,'memory','quick','mobilenet_v2_0.5_224-same.pth','to_onnx_failed','no ONNX of it','',0,NULL,6.633614,1.11527525600000014809e+01,3.97530063820224732751e+00,2.238337,2.630206,8.81636870689205820461e-01,0,1.61990599990531336516e+01,NULL,NULL,97131840,1968680,2408448,7879104,838656,87506944,119865344,8258272,8.22544097900390625e-06,1.58387412456992160416e-06,1.0,NULL,4,73.6,90.8,21.5,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,1.0,250,'images',73.6,90.8,NULL,NULL,NULL,1.16241694150012335744e+01,1.39494010380003601316e+01,'',32,27,5,'0.27.0.post1','0.1.14.post1','2.13.0+cpu','1.23.2','3.11.7','','workbench','Linux 6.1','','','Imaginary CPU',2,'',2596.148,NULL,3.63,25276502016,1.81864400207996368408e+00,1.85992600023746490478e+00,NULL,NULL,'','',NULL,NULL,NULL,NULL,NULL,1,1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,'');
INSERT INTO "records" VALUES(3,'20261125-210121-0a4d','2026-11-25T21:03:03+00:00','mobilenet_v2_0.5_224','classify',0.5,6,224,224,'float32','native','workbench',0,'tvm','0.27.0.post1',1,8,'latency','quick','mobilenet_v2_0.5_224-same.pth','ok','','',0,2.372195,6.633614,1.11527525600000014809e+01,3.97530063820224732751e+00,2.238337,2.630206,8.81636870689205820461e-01,445,1.61990599990531336516e+01,NULL,NULL,97131840,1968680,2408448,7879104,838656,87506944,119865344,8258272,8.22544097900390625e-06,1.58387412456992160416e-06,1.0,NULL,4,73.6,90.8,21.5,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,1.0,250,'images',73.6,90.8,NULL,NULL,NULL,1.16241694150012335744e+01,1.39494010380003601316e+01,'',32,27,5,'0.27.0.post1','0.1.14.post1','2.13.0+cpu','1.23.2','3.11.7','','workbench','Linux 6.1','','','Imaginary CPU',2,'',2596.148,NULL,3.63,25276502016,1.81864400207996368408e+00,1.85992600023746490478e+00,NULL,NULL,'','',NULL,NULL,NULL,NULL,NULL,1,1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,'');
INSERT INTO "records" VALUES(4,'20261125-210121-0a4d','2026-11-25T21:03:03+00:00','mobilenet_v2_0.5_224','classify',0.5,6,224,224,'float32','native','workbench',0,'torch','2.13.0+cpu',1,0,'latency','quick','mobilenet_v2_0.5_224-same.pth','ok','','',0,22.620715,36.4025622,40.40878272,23.3016869,14.6127705,31.456767,4.12170891908900882683e-01,50,NULL,NULL,NULL,97131840,1968680,2408448,NULL,NULL,233910272,280649728,NULL,6.67572021484375e-06,8.38249761983886748813e-07,1.0,NULL,4,73.6,90.8,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,1.0,250,'images',73.6,90.8,NULL,NULL,NULL,1.16241694150012335744e+01,NULL,'',NULL,NULL,NULL,'0.27.0.post1','0.1.14.post1','2.13.0+cpu','1.23.2','3.11.7','','workbench','Linux 6.1','','','Imaginary CPU',2,'',2596.148,NULL,3.63,25276502016,1.81864400207996368408e+00,1.85992600023746490478e+00,NULL,NULL,'','',NULL,NULL,NULL,NULL,NULL,1,1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,'');
CREATE TABLE runs (
	run_id VARCHAR(255) NOT NULL, 
	started_at VARCHAR(40) NOT NULL, 
	suite JSON NOT NULL, 
	PRIMARY KEY (run_id)
);
INSERT INTO "runs" VALUES('20261124-210121-0a4d','2026-11-24T21:01:21+00:00','{"variant": ["mobilenet_v2_0.5_224"], "target": ["native"], "runtime": ["tvm", "torch", "onnxruntime"], "threads": [1], "precision": ["float32"], "trials": null, "optimize_for": "memory", "kernels": false, "effort": "quick", "weights": ["weights.pth"], "data": "images", "seed": 0, "time_limit": 300.0, "tracker": "", "wait": 60.0, "retries": 2, "check_regressions": true}');
INSERT INTO "runs" VALUES('20261125-210121-0a4d','2026-11-25T21:01:21+00:00','{"variant": ["mobilenet_v2_0.5_224"], "target": ["native"], "runtime": ["tvm", "torch", "onnxruntime"], "threads": [1], "precision": ["float32"], "trials": null, "optimize_for": "latency", "kernels": false, "effort": "quick", "weights": ["weights.pth"], "data": "images", "seed": 0, "time_limit": 300.0, "tracker": "", "wait": 60.0, "retries": 2}');
CREATE TABLE samples (
	record_id INTEGER NOT NULL, 
	rounds_ms JSON NOT NULL, 
	PRIMARY KEY (record_id), 
	FOREIGN KEY(record_id) REFERENCES records (id) ON DELETE CASCADE
);
INSERT INTO "samples" VALUES(1,'[[3.5], [3.25]]');
INSERT INTO "samples" VALUES(3,'[[2.5, 2.25], [2.75]]');
INSERT INTO "samples" VALUES(4,'[[2.5, 2.25], [2.75]]');
CREATE TABLE traces (
	record_id INTEGER NOT NULL, 
	trace JSON NOT NULL, 
	PRIMARY KEY (record_id), 
	FOREIGN KEY(record_id) REFERENCES records (id) ON DELETE CASCADE
);
CREATE INDEX records_examined ON records (variant, weights, precision, runtime, images) WHERE images > 0;
CREATE UNIQUE INDEX records_key ON records (run_id, target, threads, precision, optimize_for, variant, weights, runtime, batch, streams);
CREATE INDEX records_cells ON records (target, device, threads, precision, optimize_for, variant, weights, runtime, batch, streams, emulated);
CREATE UNIQUE INDEX confirmations_key ON confirmations (base_run_id, run_id, target, threads, precision, optimize_for, variant, weights, runtime, batch, streams);
COMMIT;
